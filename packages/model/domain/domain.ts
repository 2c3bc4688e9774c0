// The domain document: the whole definition of one guest, from which everything else about it follows.

import { int, nonEmpty, oneOf, uuid, yesNo } from "@virtkit/xml/codec";
import { type FormatOptions, formatElement } from "@virtkit/xml/format";
import { parseXml } from "@virtkit/xml/parse";
import { documentError, type ReadContext, readElement } from "@virtkit/xml/read";
import { amountLeaf } from "@virtkit/xml/scaled";
import { attr, child, element, type Infer, leaf, list, special } from "@virtkit/xml/schema";
import { blkiotune } from "./blkiotune.ts";
import { clock } from "./clock.ts";
import { cpu } from "./cpu.ts";
import { cputune } from "./cputune.ts";
import { devices } from "./devices.ts";
import { throttlegroup } from "./disk.ts";
import { features } from "./features.ts";
import { idmap } from "./idmap.ts";
import { iothreadFields } from "./iothreads.ts";
import { keywrap } from "./keywrap.ts";
import { launchSecurity } from "./launch-security.ts";
import { lifecycleAction, lockFailureAction, pm } from "./lifecycle.ts";
import { maxMemory, memoryBacking, memorySize, memtune } from "./memory.ts";
import { genid, metadata, sanitizeMetadata, titleText } from "./metadata.ts";
import { numatune } from "./numatune.ts";
import { os } from "./os.ts";
import { perf } from "./perf.ts";
import { QEMU_NAMESPACE, qemuFields } from "./qemu-namespace.ts";
import { resource } from "./resource.ts";
import { checkSeclabels, seclabel } from "./seclabel.ts";
import { sysinfo } from "./sysinfo.ts";
import { vcpu, vcpuState } from "./vcpu.ts";

/** Hypervisors that libvirt's domain format names (virDomainVirtType). */
export const DOMAIN_TYPES = [
	"qemu",
	"kqemu",
	"kvm",
	"xen",
	"lxc",
	"uml",
	"openvz",
	"test",
	"vmware",
	"hyperv",
	"vbox",
	"phyp",
	"parallels",
	"bhyve",
	"vz",
	"hvf",
] as const;

const fields = {
	type: attr(oneOf(...DOMAIN_TYPES), {
		required: true,
		missing: "INTERNAL_ERROR",
		code: "CONFIG_UNSUPPORTED",
		doc: "Hypervisor that runs the guest.",
	}),
	id: attr(int, {
		live: true,
		doc: "Number of the running guest on this host.",
	}),
	qemuNamespace: special<true>({
		doc: "Declares the namespace of QEMU's own elements, where there are any.",
		read: () => undefined,
		write: () => ({ attributes: ` xmlns:qemu='${QEMU_NAMESPACE}'` }),
		json: { const: true },
		takes: {},
	}),
	name: leaf(nonEmpty, { required: true, missing: "NO_NAME", code: "NO_NAME", doc: "Name, unique on the host." }),
	uuid: leaf(uuid, { code: "INTERNAL_ERROR", doc: "UUID, made at random where absent." }),
	genid,
	title: leaf(titleText, { doc: "Short description, one line." }),
	description: leaf(nonEmpty, { doc: "Description for people." }),
	metadata,
	maxMemory: child(maxMemory, { doc: "Memory that the guest can be given while it runs." }),
	memory: child(memorySize, { doc: "Memory that the guest has at start." }),
	currentMemory: amountLeaf("currentMemory", { doc: "KiB that the guest gets to use." }),
	blkiotune: child(blkiotune, { doc: "Shares and limits of block I/O." }),
	memtune: child(memtune, { doc: "Limits on the host's memory." }),
	memoryBacking: child(memoryBacking, { doc: "What backs the guest's memory." }),
	vcpu: child(vcpu, { required: true, implied: true, keepEmpty: true, doc: "Virtual CPUs." }),
	vcpus: list(vcpuState, { name: "vcpu", inside: "vcpus", doc: "State of each virtual CPU." }),
	...iothreadFields,
	throttlegroups: list(throttlegroup, {
		name: "throttlegroup",
		inside: "throttlegroups",
		doc: "Limits of throughput that disks share.",
	}),
	cputune: child(cputune, { doc: "Host CPU time of the guest's threads." }),
	numatune: child(numatune, { doc: "Host NUMA nodes of the guest's memory." }),
	iommufd: child(
		element({
			enabled: attr(yesNo, { required: true, doc: "Whether host devices are handed over by /dev/iommu." }),
			fdgroup: attr(nonEmpty, { doc: "Name of the descriptor that the client passed." }),
		}),
		{ doc: "How host devices reach the guest's memory." },
	),
	resource: child(resource, { doc: "Place in the host's resource management." }),
	sysinfo: list(sysinfo, { doc: "What the guest reads about itself." }),
	bootloader: leaf(nonEmpty, { doc: "Program that picks the kernel on the host." }),
	bootloader_args: leaf(nonEmpty, { doc: "Arguments of that program." }),
	os: child(os, { required: true, doc: "What the guest boots." }),
	idmap: child(idmap, { doc: "Ids of a container's user namespace." }),
	features: child(features, { doc: "Features of the machine and the hypervisor." }),
	cpu: child(cpu, { doc: "The guest's CPU." }),
	clock: child(clock, { required: true, implied: true, doc: "Real-time clock and timers." }),
	on_poweroff: leaf(lifecycleAction, { code: "INTERNAL_ERROR", doc: "What happens when the guest powers off." }),
	on_reboot: leaf(lifecycleAction, { code: "INTERNAL_ERROR", doc: "What happens when the guest reboots." }),
	on_crash: leaf(lifecycleAction, { code: "INTERNAL_ERROR", doc: "What happens when the guest crashes." }),
	on_lockfailure: leaf(lockFailureAction, { code: "INTERNAL_ERROR", doc: "What happens when disk locks are lost." }),
	pm: child(pm, { doc: "Sleep states." }),
	perf: child(perf, { doc: "Performance counters." }),
	devices: child(devices, { required: true, implied: true, keepEmpty: true, doc: "What the guest has plugged in." }),
	seclabel: list(seclabel, {
		showItem: ({ implicit }, { inactive }) => !(implicit && inactive),
		doc: "Labels of the host's security systems.",
	}),
	keywrap: child(keywrap, { doc: "Key wrapping." }),
	launchSecurity: child(launchSecurity, { doc: "Confidential computing." }),
	...qemuFields,
} as const;

export const domain = element(fields, {
	doc: "A guest.",
	rewrite(node) {
		// Before devices are read, whose own labels are checked against each other.
		checkSeclabels(node);
		return node;
	},
	onRead(value) {
		value.on_poweroff ??= "destroy";
		value.on_reboot ??= "restart";
		value.on_crash ??= "destroy";
		if (value.qemuCommandline || value.qemuCapabilities || value.qemuOverride || value.qemuDeprecation)
			value.qemuNamespace = true;
		if (value.metadata) value.metadata = sanitizeMetadata(value.metadata);
	},
});

/** A guest's whole definition. */
export type DomainDef = Infer<typeof domain>;

/** The definition that `text` spells. Throws XML_ERROR, or the code libvirt has for the mistake, with line and column. */
export function parseDomain(text: string, context: ReadContext = { strict: false }): DomainDef {
	const root = parseXml(text, "domain definition");
	if (root.name !== "domain") throw documentError(root, `unexpected root element <${root.name}>, expecting <domain>`);
	return readElement(domain, root, context);
}

/** `def` as libvirt prints it. */
export function formatDomain(def: DomainDef, options: FormatOptions = {}): string {
	return formatElement("domain", domain, def, def.id === undefined ? { ...options, inactive: true } : options);
}
