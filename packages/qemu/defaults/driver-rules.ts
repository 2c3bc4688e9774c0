// Rules of the QEMU driver about a domain as a whole (qemuValidateDomainDef).

import type { DomainDef } from "@virtkit/model/domain/domain";
import type { DefineContext } from "../devices/entry.ts";
import { isMachine, isX86 } from "../machine.ts";
import type { DomainRule } from "./domain-rule.ts";
import { hasFlashFirmware } from "./os.ts";
import { maxVcpus, onlineVcpus } from "./vcpus.ts";

const UNSUPPORTED = "CONFIG_UNSUPPORTED";
const unsupported = (broken: DomainRule["broken"], at?: DomainRule["at"]): DomainRule => ({
	code: UNSUPPORTED,
	broken,
	...(at ? { at } : {}),
});

const os = ({ def }: DefineContext): object => def.os;
const usesUefi = (def: DomainDef): boolean => def.os.firmware === "efi" || hasFlashFirmware(def);

/** What the emulator must be able to run. */
const EMULATOR_RULES: readonly DomainRule[] = [
	unsupported(({ def, caps }) =>
		def.os.type.type === "hvm" ? undefined : `Emulator '${caps.binary}' does not support os type '${def.os.type.type}'`,
	),
	unsupported(({ def, caps }) =>
		caps.runsArch(def.os.type.arch ?? "")
			? undefined
			: `Emulator '${caps.binary}' does not support arch '${def.os.type.arch}'`,
	),
	unsupported(({ def, caps }) =>
		caps.accelerator(def.type) ? undefined : `Emulator '${caps.binary}' does not support virt type '${def.type}'`,
	),
	unsupported(({ def, caps }) =>
		caps.facts.machines.some(({ name }) => name === def.os.type.machine)
			? undefined
			: `Emulator '${caps.binary}' does not support machine type '${def.os.type.machine}'`,
	),
];

const FIRMWARE_RULES: readonly DomainRule[] = [
	unsupported(({ def }) =>
		def.memtune?.min_guarantee ? "Parameter 'min_guarantee' not supported by QEMU." : undefined,
	),
	unsupported(
		({ def }) =>
			usesUefi(def) && isX86(def) && !def.features?.acpi
				? "UEFI requires ACPI on this architecture; add <acpi/> to <features>"
				: undefined,
		os,
	),
	unsupported(
		({ def }) =>
			def.features?.acpi && def.os.type.arch === "aarch64" && !usesUefi(def)
				? "ACPI requires UEFI on this architecture"
				: undefined,
		os,
	),
	unsupported(({ def, caps }) =>
		def.genid !== undefined && !caps.has("vmgenid") ? "this QEMU does not support the 'genid' capability" : undefined,
	),
	unsupported(
		({ def }) =>
			def.os.bios?.useserial && !isX86(def) ? "BIOS serial console only supported on x86 architectures" : undefined,
		os,
	),
	{
		code: "XML_ERROR",
		at: os,
		broken: ({ def }) =>
			def.os.bios?.useserial && def.devices.serials.length === 0
				? "need at least one serial port to use BIOS serial output"
				: undefined,
	},
];

/** Which actions the driver carries out together; also asked when one of them changes. */
export function lifecycleComplaint({
	on_poweroff,
	on_reboot,
	on_crash,
}: Pick<DomainDef, "on_poweroff" | "on_reboot" | "on_crash">): string | undefined {
	if ([on_poweroff, on_reboot, on_crash].includes("rename-restart"))
		return "qemu driver doesn't support the 'rename-restart' action for 'on_reboot'/'on_poweroff'/'on_crash'";
	if (on_poweroff === "preserve" || on_reboot === "preserve")
		return "qemu driver doesn't support the 'preserve' action for 'on_reboot'/'on_poweroff'";
	if (on_poweroff === "restart" && on_reboot === "destroy")
		return "qemu driver doesn't support 'on_reboot' set to 'destroy' together with 'on_poweroff' set to 'restart'";
	return undefined;
}

const LIFECYCLE_RULES: readonly DomainRule[] = [unsupported(({ def }) => lifecycleComplaint(def))];

const cpu = ({ def }: DefineContext): object | undefined => def.cpu;

const CPU_RULES: readonly DomainRule[] = [
	unsupported(({ def }) => {
		const { mode, bits } = def.cpu?.maxphysaddr ?? {};
		if (mode === undefined) return undefined;
		if (!isX86(def))
			return `CPU maximum physical address bits specification is not supported for '${def.os.type.arch}' architecture`;
		if (mode === "passthrough" && bits !== undefined)
			return "CPU maximum physical address bits number specification cannot be used with mode='passthrough'";
		return mode === "emulate" && bits === undefined
			? "if using CPU maximum physical address mode='emulate', bits= must be specified too"
			: undefined;
	}, cpu),
	unsupported(({ def }) => {
		const { mode, level } = def.cpu?.cache ?? {};
		if (mode === undefined) return undefined;
		if (!isX86(def)) return `CPU cache specification is not supported for '${def.os.type.arch}' architecture`;
		if (mode === "emulate") return level === 3 ? undefined : "CPU cache mode 'emulate' can only be used with level='3'";
		if (mode === "passthrough" && def.cpu?.mode !== "host-passthrough" && def.cpu?.mode !== "maximum")
			return "CPU cache mode 'passthrough' can only be used with 'host-passthrough' / 'maximum' CPUs";
		return level === undefined ? undefined : `unsupported CPU cache level for mode '${mode}'`;
	}, cpu),
	unsupported(
		({ def }) =>
			def.cpu?.mode === "custom" && def.cpu.model?.name === undefined && def.cpu.check !== undefined
				? "check attribute specified for CPU with no model"
				: undefined,
		cpu,
	),
];

/** Virtual CPUs above this need extended interrupt mode on x86. */
const MAX_VCPUS_WITHOUT_EIM = 255;

function topologyCpus(def: DomainDef): number | undefined {
	const { sockets, dies = 1, clusters = 1, cores, threads } = def.cpu?.topology ?? {};
	return sockets && cores && threads ? sockets * dies * clusters * cores * threads : undefined;
}

const VCPU_RULES: readonly DomainRule[] = [
	unsupported(({ def }) => (onlineVcpus(def) === 0 ? "Domain requires at least 1 vCPU" : undefined)),
	unsupported(({ def, caps }) => {
		const limit = caps.machine(def.os.type.machine ?? "")?.maxCpus ?? 0;
		return limit > 0 && maxVcpus(def) > limit
			? `Maximum CPUs ${maxVcpus(def)} greater than specified machine type limit ${limit}`
			: undefined;
	}),
	unsupported(({ def }) => {
		const count = topologyCpus(def);
		return count !== undefined && count !== maxVcpus(def)
			? `CPU topology doesn't match maximum vcpu count: ${count} against ${maxVcpus(def)}`
			: undefined;
	}, cpu),
	unsupported(({ def }) => {
		const step = isMachine(def, "pseries") ? (def.cpu?.topology?.threads ?? 1) : 1;
		return onlineVcpus(def) % step === 0
			? undefined
			: `vCPUs count must be a multiple of the vCPU hotplug granularity (${step})`;
	}),
	unsupported(({ def }) => {
		if (!isX86(def) || maxVcpus(def) <= MAX_VCPUS_WITHOUT_EIM) return undefined;
		if (!isMachine(def, "q35"))
			return `more than ${MAX_VCPUS_WITHOUT_EIM} vCPUs are only supported on q35-based machine types`;
		return def.devices.iommu?.driver?.eim
			? undefined
			: `more than ${MAX_VCPUS_WITHOUT_EIM} vCPUs require extended interrupt mode enabled on the iommu device`;
	}),
	unsupported(({ def }) =>
		(def.cputune?.cachetune.length || def.cputune?.memorytune.length) && def.type !== "kvm"
			? "cachetune is only supported for KVM domains"
			: undefined,
	),
];

const PM_RULES: readonly DomainRule[] = (["suspend-to-mem", "suspend-to-disk"] as const).map((state, index) => {
	const property = `disable_s${3 + index}`;
	return unsupported(({ def, caps }) =>
		def.pm?.[state]?.enabled !== undefined &&
		!caps.has("PIIX4_PM", property) &&
		!(isMachine(def, "q35") && caps.has("ICH9-LPC", property))
			? `setting ACPI S${3 + index} not supported`
			: undefined,
	);
});

const BOOT_RULES: readonly DomainRule[] = [
	unsupported(({ def }) => {
		if (!def.os.loader?.secure) return undefined;
		if (!isMachine(def, "q35")) return "Secure boot is supported with q35 machine types only";
		if (def.os.type.arch !== "x86_64") return "Secure boot is supported for x86_64 architecture only";
		return def.os.firmware === undefined && !def.features?.smm?.state
			? "Secure boot requires SMM feature enabled"
			: undefined;
	}, os),
	unsupported(
		({ def }) =>
			["dir", "volume", "nvme", "vhostuser"].includes(def.os.nvram?.type ?? "")
				? `unsupported nvram disk type '${def.os.nvram?.type}'`
				: undefined,
		os,
	),
];

const memory = ({ def }: DefineContext): object | undefined => def.memoryBacking;

const MEMORY_RULES: readonly DomainRule[] = [
	unsupported(({ def, caps }) => {
		const { hugepages, allocation, source } = def.memoryBacking ?? {};
		if (!hugepages) return undefined;
		if (allocation?.mode === "ondemand") return "hugepages are not allowed with memory allocation ondemand";
		if (allocation?.threads && !caps.has("memory-backend-file", "prealloc-threads"))
			return "preallocation threads are unsupported with this QEMU";
		if (source?.type === "anonymous") return "hugepages are not allowed with anonymous memory source";
		return source?.type === "memfd" && !caps.has("memory-backend-memfd", "hugetlb")
			? "hugepages is not supported with memfd memory source"
			: undefined;
	}, memory),
	unsupported(({ def, caps }) => {
		const { hugepages, access } = def.memoryBacking ?? {};
		const hasDefaultRam = caps.machine(def.os.type.machine ?? "")?.defaultRamId !== undefined;
		return hugepages && !hasDefaultRam && !def.cpu?.numa && access?.mode === "shared"
			? `memory access mode '${access.mode}' not supported without guest numa node`
			: undefined;
	}, memory),
];

const SYSINFO_RULES: readonly DomainRule[] = [
	unsupported(({ def }) => {
		for (const one of def.sysinfo) {
			if (one.type !== "fwcfg") continue;
			for (const { name } of one.entry) {
				if (!name.startsWith("opt/")) return `Invalid firmware name '${name}': it must start with opt/`;
				if (/^opt\/(?:ovmf|org\.qemu)\//.test(name)) return `That firmware name is reserved: '${name}'`;
			}
		}
		return undefined;
	}),
];

const SECURITY_RULES: readonly DomainRule[] = [
	unsupported(
		({ def, caps }) => {
			const { launchSecurity } = def;
			if (launchSecurity?.type === "sev") {
				if (!caps.facts.sev) return "SEV launch security is not supported with this QEMU binary";
				return launchSecurity.kernelHashes !== undefined &&
					!caps.hasSchema("object-add/arg-type/+sev-guest/kernel-hashes")
					? "SEV measured direct kernel boot is not supported with this QEMU binary"
					: undefined;
			}
			return launchSecurity?.type === "s390-pv" && !caps.has("s390-pv-guest")
				? "S390 PV launch security is not supported with this QEMU binary"
				: undefined;
		},
		({ def }) => def.launchSecurity,
	),
];

/** The rules before those about timers. */
export const DRIVER_RULES_FIRST: readonly DomainRule[] = [
	...EMULATOR_RULES,
	...FIRMWARE_RULES,
	...LIFECYCLE_RULES,
	...CPU_RULES,
];

/** The rules between those about timers and those about features. */
export const DRIVER_RULES_SECOND: readonly DomainRule[] = [...PM_RULES, ...BOOT_RULES, ...VCPU_RULES];

/** The rules after those about features. */
export const DRIVER_RULES_LAST: readonly DomainRule[] = [...MEMORY_RULES, ...SYSINFO_RULES, ...SECURITY_RULES];
