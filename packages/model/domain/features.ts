// Features of the machine and of the hypervisor that can be switched.

import { integer, matching, oneOf, onOff, uint, yesNo } from "@virtkit/xml/codec";
import { amountLeaf } from "@virtkit/xml/scaled";
import { attr, child, element, type Fields, flag, type Infer } from "@virtkit/xml/schema";
import { prettyLeaf } from "./pretty-amount.ts";

/** A switch that is on where its `state` is not given. */
const toggle = (doc: string) =>
	child(
		element(
			{ state: attr(onOff, { doc }) },
			{
				onRead(value) {
					value.state ??= true;
				},
			},
		),
	);

/** A switch whose `state` must be given. */
const strictToggle = (doc: string) => child(element({ state: attr(onOff, { required: true, doc }) }));

/** A capability of the ppc64 machine: a word in `value`. */
const mitigation = <const W extends string>(doc: string, ...words: W[]) =>
	child(element({ value: attr(oneOf(...words), { doc }) }));

const isOn = (self: { readonly [key: string]: unknown }): boolean => self.state === true;

/** A refinement of a switch, written where that is on. */
const flushing = (doc: string) => element({ state: attr(onOff, { required: true, doc, show: isOn }) });

const hyperv = element(
	{
		mode: attr(oneOf("custom", "passthrough", "host-model"), {
			doc: "Whether the enlightenments are those given or all the host has.",
		}),
		relaxed: strictToggle("Relaxed watchdog timeouts."),
		vapic: strictToggle("Virtual interrupt controller page."),
		spinlocks: child(
			element({
				state: attr(onOff, { required: true, doc: "Spinlocks report long waits to the hypervisor." }),
				retries: attr(integer({ min: 0xfff, max: 0xffffffff, base: "auto" }), {
					doc: "Failed attempts before a wait is reported.",
					when: isOn,
				}),
			}),
		),
		vpindex: strictToggle("Virtual processor index."),
		runtime: strictToggle("Time spent in the guest and in the hypervisor."),
		synic: strictToggle("Synthetic interrupt controller."),
		stimer: child(
			element({
				state: attr(onOff, { required: true, doc: "Synthetic timers." }),
				direct: child(
					element({
						state: attr(onOff, { required: true, doc: "Timers raise interrupts directly.", show: isOn }),
					}),
					{ when: isOn },
				),
			}),
		),
		reset: strictToggle("Reset through the hypervisor."),
		vendor_id: child(
			element({
				state: attr(onOff, { required: true, doc: "Own vendor id of the hypervisor." }),
				value: attr(matching(/^[^,]{0,12}$/, "up to 12 characters without a comma"), { doc: "The id.", when: isOn }),
			}),
		),
		frequencies: strictToggle("Frequencies of the time-stamp counter and interrupt controller."),
		reenlightenment: strictToggle("Notification after a migration to another time-stamp counter frequency."),
		tlbflush: child(
			element({
				state: attr(onOff, { required: true, doc: "TLB flush through the hypervisor." }),
				direct: child(flushing("Flushes of nested guests."), { when: isOn }),
				extended: child(flushing("Flushes of parts of the address space."), { when: isOn }),
			}),
		),
		ipi: strictToggle("Inter-processor interrupts through the hypervisor."),
		evmcs: strictToggle("Enlightened VMCS of nested guests."),
		avic: strictToggle("Hardware interrupt controller together with the synthetic one."),
		emsr_bitmap: strictToggle("Enlightened bitmap of the registers that nested guests may use."),
		xmm_input: strictToggle("Arguments of hypercalls in SSE registers."),
		vsm: strictToggle("Virtual secure mode."),
	},
	{
		closed: "CONFIG_UNSUPPORTED",
		onRead(value) {
			value.mode ??= "custom";
		},
	},
);

const kvm = element(
	{
		hidden: strictToggle("Hide from the guest that it runs on KVM."),
		"hint-dedicated": strictToggle("Tell the guest that its CPUs are its own."),
		"poll-control": strictToggle("Let the guest poll before it halts."),
		"pv-ipi": strictToggle("Inter-processor interrupts through the hypervisor."),
		"dirty-ring": child(
			element({
				state: attr(onOff, { required: true, doc: "Track written pages in a ring." }),
				size: attr(uint, { doc: "Entries of the ring: a power of two from 1024 to 65536.", when: isOn }),
			}),
		),
	},
	{ closed: "CONFIG_UNSUPPORTED" },
);

const xen = element(
	{
		e820_host: strictToggle("Show the host's memory map to the guest."),
		passthrough: child(
			element({
				state: attr(onOff, { required: true, doc: "Allow PCI devices of the host." }),
				mode: attr(oneOf("sync_pt", "share_pt"), { doc: "How the I/O page tables are kept.", when: isOn }),
			}),
		),
	},
	{ closed: "CONFIG_UNSUPPORTED" },
);

/** Linux capabilities of a container, in the order they are written. */
const PROCESS_CAPABILITIES = [
	"audit_control",
	"audit_write",
	"block_suspend",
	"chown",
	"dac_override",
	"dac_read_search",
	"fowner",
	"fsetid",
	"ipc_lock",
	"ipc_owner",
	"kill",
	"lease",
	"linux_immutable",
	"mac_admin",
	"mac_override",
	"mknod",
	"net_admin",
	"net_bind_service",
	"net_broadcast",
	"net_raw",
	"setgid",
	"setfcap",
	"setpcap",
	"setuid",
	"sys_admin",
	"sys_boot",
	"sys_chroot",
	"sys_module",
	"sys_nice",
	"sys_pacct",
	"sys_ptrace",
	"sys_rawio",
	"sys_resource",
	"sys_time",
	"sys_tty_config",
	"syslog",
	"wake_alarm",
] as const;

type ProcessCapabilities = Record<(typeof PROCESS_CAPABILITIES)[number], ReturnType<typeof toggle>>;
const processCapabilities = Object.fromEntries(
	PROCESS_CAPABILITIES.map((name) => [name, toggle(`Whether the container has CAP_${name.toUpperCase()}.`)]),
) as ProcessCapabilities & Fields;

const capabilities = element(
	{
		policy: attr(oneOf("default", "allow", "deny"), { doc: "What holds for capabilities that are not named." }),
		...processCapabilities,
	},
	{
		closed: "CONFIG_UNSUPPORTED",
		onRead(value) {
			const named = PROCESS_CAPABILITIES.some((name) => value[name] !== undefined);
			if (named) value.policy ??= "default";
			else if (value.policy === "default") value.policy = undefined;
		},
	},
);

export const features = element(
	{
		acpi: flag({ doc: "ACPI tables and power management." }),
		apic: child(element({ eoi: attr(onOff, { doc: "End of interrupt through the hypervisor." }) }), {
			keepEmpty: true,
			doc: "Advanced interrupt controller.",
		}),
		pae: flag({ doc: "Physical addresses of more than 32 bits for 32-bit guests." }),
		hap: toggle("Hardware-assisted paging."),
		viridian: flag({ doc: "Hyper-V enlightenments of Xen." }),
		privnet: flag({ doc: "A network namespace of its own for a container." }),
		hyperv: child(hyperv, { keepEmpty: true, doc: "Hyper-V enlightenments." }),
		kvm: child(kvm, { keepEmpty: true, doc: "Features of KVM that the guest sees." }),
		pvspinlock: toggle("Paravirtual spinlocks."),
		capabilities: child(capabilities, { doc: "Linux capabilities of a container." }),
		pmu: toggle("Performance monitoring unit."),
		vmport: toggle("VMware's I/O port."),
		gic: child(element({ version: attr(oneOf("host", "2", "3"), { doc: "Version of the interrupt controller." }) }), {
			keepEmpty: true,
			doc: "Arm's generic interrupt controller.",
		}),
		smm: child(
			element(
				{
					state: attr(onOff, { doc: "System management mode." }),
					tseg: prettyLeaf("tseg", { assumed: "MiB", doc: "Bytes of the mode's memory segment.", when: isOn }),
				},
				{
					onRead(value) {
						value.state ??= true;
					},
				},
			),
		),
		ioapic: child(
			element({ driver: attr(oneOf("qemu", "kvm"), { doc: "Who emulates the I/O interrupt controller." }) }),
		),
		hpt: child(
			element({
				resizing: attr(oneOf("enabled", "disabled", "required"), {
					doc: "Whether the hashed page table may change its size.",
				}),
				maxpagesize: amountLeaf("maxpagesize", { doc: "Largest page size in KiB.", code: "CONFIG_UNSUPPORTED" }),
			}),
		),
		vmcoreinfo: toggle("Let the guest leave where its crash information is."),
		htm: strictToggle("Hardware transactional memory."),
		"nested-hv": strictToggle("Nested virtualisation on ppc64."),
		msrs: child(
			element({
				unknown: attr(oneOf("ignore", "fault"), {
					required: true,
					doc: "What access to an unknown model-specific register does.",
				}),
			}),
		),
		"ccf-assist": strictToggle("Count cache flush assist."),
		xen: child(xen, { keepEmpty: true, doc: "Features of Xen." }),
		cfpc: mitigation("Cache flush on privilege change.", "broken", "workaround", "fixed"),
		sbbc: mitigation("Speculation barrier with bounds checking.", "broken", "workaround", "fixed"),
		ibs: mitigation("Indirect branch speculation.", "broken", "workaround", "fixed-ibs", "fixed-ccd", "fixed-na"),
		tcg: child(
			element({
				"tb-cache": amountLeaf("tb-cache", { doc: "KiB of translated code that is kept." }),
			}),
			{ doc: "Settings of QEMU's translator." },
		),
		"async-teardown": child(
			element(
				{ enabled: attr(yesNo, { doc: "Whether the memory of a guest that ends is given back beside its end." }) },
				{
					onRead(value) {
						value.enabled ??= true;
					},
				},
			),
		),
		ras: strictToggle("Errors of the host's memory are told to Arm guests."),
		ps2: strictToggle("Keyboard and mouse controller of the PC."),
		aia: child(
			element({
				value: attr(oneOf("none", "aplic", "aplic-imsic"), {
					required: true,
					doc: "Which parts of RISC-V's advanced interrupt architecture there are.",
				}),
			}),
		),
		virtualization: flag({ doc: "Arm guests may run guests themselves." }),
	},
	{ closed: "CONFIG_UNSUPPORTED" },
);

export type FeaturesDef = Infer<typeof features>;
