// What not every QEMU has: settings of libvirt's later versions, each with the QEMU property that it needs.

import type { DomainDef } from "@virtkit/model/domain/domain";
import type { EmulatorCapabilities } from "../capabilities/emulator.ts";
import type { DefineContext } from "../devices/entry.ts";
import { isMachine, isX86 } from "../machine.ts";
import type { DomainRule } from "./domain-rule.ts";

/** One setting: how an error calls it, where a definition has it, and whether the emulator can do it. */
interface Need {
	readonly what: string;
	/** The part of the definition that asks for it; undefined where none does. */
	find(def: DomainDef): object | undefined;
	can?(caps: EmulatorCapabilities, def: DomainDef): boolean;
}

const machineHas =
	(property: string) =>
	(caps: EmulatorCapabilities, def: DomainDef): boolean =>
		caps.hasMachineProperty(def.os.type.machine ?? "", property);

const HISTOGRAM = "latency-histogram";

const NEEDS: readonly Need[] = [
	{ what: "<varstore>", find: ({ os }) => os.varstore, can: (caps) => caps.has("uefi-vars-x64") },
	{
		what: "<shim>",
		find: ({ os }) => (os.shim === undefined ? undefined : os),
		can: (caps) => caps.hasOption("shim"),
	},
	{
		what: "launch security 'sev-snp'",
		find: ({ launchSecurity }) => (launchSecurity?.type === "sev-snp" ? launchSecurity : undefined),
		can: (caps) => caps.has("sev-snp-guest"),
	},
	{
		what: "launch security 'tdx'",
		find: ({ launchSecurity }) => (launchSecurity?.type === "tdx" ? launchSecurity : undefined),
		can: (caps) => caps.has("tdx-guest"),
	},
	{
		what: "async-teardown",
		find: ({ features }) => (features?.["async-teardown"]?.enabled ? features["async-teardown"] : undefined),
		can: (caps) => caps.hasOption("run-with", "async-teardown") || caps.hasOption("async-teardown"),
	},
	{ what: "the 'ras' feature", find: ({ features }) => features?.ras, can: machineHas("ras") },
	{ what: "the 'ps2' feature", find: ({ features }) => features?.ps2, can: machineHas("i8042") },
	{ what: "the 'aia' feature", find: ({ features }) => features?.aia, can: machineHas("aia") },
	{
		what: "the 'virtualization' feature",
		find: ({ features }) => (features?.virtualization ? features : undefined),
		can: machineHas("virtualization"),
	},
	{
		what: "iommufd",
		find: ({ iommufd }) => (iommufd?.enabled ? iommufd : undefined),
		can: (caps) => caps.has("iommufd"),
	},
	{
		what: "iommufd",
		find: ({ devices }) =>
			devices.hostdevs.find(({ driver }) => driver?.iommufd) ??
			devices.interfaces.find(({ hostDriver }) => hostDriver?.iommufd),
		can: (caps) => caps.has("iommufd"),
	},
	{
		what: "authentication of SSH storage by keys, or by hosts of one's own",
		find: ({ devices }) =>
			devices.disks.find(
				({ source }) => source?.knownHosts ?? source?.sshIdentity?.keyfile ?? source?.sshIdentity?.agentsock,
			),
	},
	{
		what: "toggling deprecated features of the CPU model",
		find: ({ cpu }) => (cpu?.deprecated_features === undefined ? undefined : cpu),
		can: (caps) => caps.hasSchema("query-cpu-model-expansion/ret-type/deprecated-props"),
	},
	{
		what: "a kernel driver of one's own for host devices",
		find: ({ devices }) =>
			devices.hostdevs.find(({ driver }) => driver?.model !== undefined && driver.model !== "vfio-pci") ??
			devices.interfaces.find(({ hostDriver: own }) => own?.model !== undefined && own.model !== "vfio-pci"),
	},
	{
		what: "PCI address's acpi nodeset",
		find: ({ devices }) => [...devices.hostdevs, ...devices.interfaces].find(({ acpi }) => acpi?.nodeset),
		can: (caps) => caps.has("acpi-generic-initiator"),
	},
	{
		what: "I/O thread 'poll' weight",
		find: ({ iothreadids }) => iothreadids.find(({ poll }) => poll?.weight !== undefined),
		can: (caps) => caps.has("iothread", "poll-weight"),
	},
	{
		what: "discard_no_unref",
		find: ({ devices }) => devices.disks.find(({ driver }) => driver.discard_no_unref !== undefined)?.driver,
		can: (caps) => caps.hasSchema("blockdev-add/arg-type/+qcow2/discard-no-unref"),
	},
	{
		what: "mapping of I/O threads to queues",
		find: ({ devices }) => devices.disks.find(({ driver }) => driver.iothreads)?.driver,
		can: (caps) => caps.has("virtio-blk-device", "iothread-vq-mapping"),
	},
	{
		what: "mapping of I/O threads to queues",
		find: ({ devices }) => devices.controllers.find(({ driver }) => driver?.iothreads)?.driver,
		can: (caps) => caps.has("virtio-scsi-device", "iothread-vq-mapping"),
	},
	{
		what: "intervals of a disk's statistics",
		find: ({ devices }) => devices.disks.find(({ driver }) => driver.statistics?.statistic.length)?.driver,
		can: (caps) => caps.has("virtio-blk-device", "stats-intervals"),
	},
	{
		what: "latency histogram",
		find: ({ devices }) => devices.disks.find(({ driver }) => driver.statistics?.[HISTOGRAM].length)?.driver,
		can: (caps) => caps.hasSchema("block-latency-histogram-set"),
	},
	{
		what: "disk type 'vhostvdpa'",
		find: ({ devices }) => devices.disks.find(({ type }) => type === "vhostvdpa"),
		can: (caps) => caps.hasSchema("blockdev-add/arg-type/+virtio-blk-vhost-vdpa"),
	},
	{
		what: "dynamicMemslots",
		find: ({ devices }) => devices.memories.find(({ target }) => target.dynamicMemslots),
		can: (caps) => caps.has("virtio-mem-pci", "dynamic-memslots"),
	},
	{
		what: "audio type 'pipewire'",
		find: ({ devices }) => devices.audios.find(({ type }) => type === "pipewire"),
		can: (caps) => caps.hasSchema("query-audiodevs/ret-type/+pipewire"),
	},
	{
		what: "CPU clusters",
		find: ({ cpu }) => (cpu?.topology?.clusters === undefined ? undefined : cpu.topology),
		can: (caps) => caps.hasSchema("query-hotpluggable-cpus/ret-type/props/cluster-id"),
	},
];

/** Rules about combinations, whatever the emulator. */
const COMBINATIONS: readonly DomainRule[] = [
	{
		code: "CONFIG_UNSUPPORTED",
		at: ({ def }) => def.cpu?.topology,
		broken: ({ def }) =>
			def.cpu?.topology?.clusters !== undefined && !isMachine(def, "armVirt")
				? `CPU topology with clusters is not supported for machine type '${def.os.type.machine}'`
				: undefined,
	},
	{
		code: "CONFIG_UNSUPPORTED",
		at: ({ def }) => def.features,
		broken: ({ def }) =>
			def.features?.ps2 && !isX86(def)
				? `The 'ps2' feature is not supported for architecture '${def.os.type.arch}' or machine type '${def.os.type.machine}'`
				: undefined,
	},
	{
		code: "CONFIG_UNSUPPORTED",
		at: ({ def }) => def.features,
		broken: ({ def }) =>
			(def.features?.ras || def.features?.virtualization) && !isMachine(def, "armVirt")
				? `The 'ras' and 'virtualization' features are not supported for machine type '${def.os.type.machine}'`
				: undefined,
	},
	{
		code: "CONFIG_UNSUPPORTED",
		at: ({ def }) => def.features,
		broken: ({ def }) =>
			def.features?.aia && !isMachine(def, "riscvVirt")
				? `The 'aia' feature is not supported for machine type '${def.os.type.machine}'`
				: undefined,
	},
	{
		code: "CONFIG_UNSUPPORTED",
		at: ({ def }) => def.os.nvram,
		broken: ({ def: { os } }) => {
			const { template, templateFormat = "raw", format = "raw" } = os.nvram ?? {};
			return template !== undefined && templateFormat !== format
				? `firmware variables of format '${format}' cannot be made from a template of format '${templateFormat}'`
				: undefined;
		},
	},
	{
		code: "CONFIG_UNSUPPORTED",
		at: ({ def }) => def.cputune,
		broken: ({ def }) =>
			def.cputune?.energytune.length ? "energy monitoring (energytune) is not available on this host" : undefined,
	},
	{
		code: "CONFIG_UNSUPPORTED",
		at: ({ def }) => def.cpu,
		broken: ({ def }) =>
			def.cpu?.maxphysaddr?.limit !== undefined && def.cpu.maxphysaddr.mode === "emulate"
				? "CPU maximum physical address bits 'limit' can only be used with mode='passthrough'"
				: undefined,
	},
	{
		code: "CONFIG_UNSUPPORTED",
		at: ({ def }) => def.cpu,
		broken: ({ def }) =>
			def.cpu?.deprecated_features !== undefined && def.os.type.arch !== "s390x"
				? `The 'deprecated_features' attribute is not supported for architecture '${def.os.type.arch}'`
				: undefined,
	},
	{
		code: "XML_ERROR",
		at: ({ def }) => def.throttlegroups.find((one) => one.group_name === undefined),
		broken: ({ def }) =>
			def.throttlegroups.some((one) => one.group_name === undefined)
				? "throttle group without <group_name>"
				: undefined,
	},
	{
		code: "XML_ERROR",
		at: secondOfItsName,
		broken: (context) => {
			const found = secondOfItsName(context);
			return found && `duplicate throttle group name '${found.group_name}' found`;
		},
	},
];

function secondOfItsName({
	def: { throttlegroups: all },
}: DefineContext): DomainDef["throttlegroups"][number] | undefined {
	return all.find((one, index) => all.findIndex(({ group_name }) => group_name === one.group_name) < index);
}

/** Throws where the definition asks for what the emulator, or its machine, lacks. */
export const NEWER_RULES: readonly DomainRule[] = [
	...COMBINATIONS,
	...NEEDS.map(
		({ what, find, can }): DomainRule => ({
			code: "CONFIG_UNSUPPORTED",
			at: ({ def }) => find(def),
			broken: ({ def, caps }) =>
				find(def) && !can?.(caps, def) ? `${what} is not supported with this QEMU binary` : undefined,
		}),
	),
];
