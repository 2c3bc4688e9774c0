// Rules about a domain that hold for any hypervisor (virDomainDefValidateInternal).

import type { DefineContext } from "../devices/entry.ts";
import type { DomainRule } from "./domain-rule.ts";

const os = ({ def }: DefineContext): object => def.os;
const cputune = ({ def }: DefineContext): object | undefined => def.cputune;

const RESOURCE_RULES: readonly DomainRule[] = [
	{
		code: "XML_ERROR",
		broken: ({ def }) =>
			/[^\x20-\x7e]/.test(def.resource?.fibrechannel?.appid ?? "")
				? "Fibre Channel 'appid' is not a printable string"
				: undefined,
	},
	{
		code: "INVALID_ARG",
		broken: ({ def }) =>
			(def.resource?.fibrechannel?.appid?.length ?? 1) > 128
				? "Fibre Channel 'appid' string length must be between [1, 128]"
				: undefined,
	},
];

const LIFECYCLE_RULES: readonly DomainRule[] = (["poweroff", "reboot"] as const).map((event) => ({
	code: "CONFIG_UNSUPPORTED",
	broken: ({ def }) =>
		def[`on_${event}`]?.startsWith("coredump-")
			? `Lifecycle event '${event}' doesn't support '${def[`on_${event}`]}' action`
			: undefined,
}));

const HUGEPAGE_RULES: readonly DomainRule[] = [
	{
		code: "XML_DETAIL",
		at: ({ def }) => def.memoryBacking,
		broken: ({ def }) => {
			const pages = def.memoryBacking?.hugepages?.page ?? [];
			const cells = def.cpu?.numa?.cell.length ?? 0;
			for (const [index, { size, nodeset }] of pages.entries()) {
				for (const other of pages.slice(0, index)) {
					if (!nodeset && !other.nodeset) return `two master hugepages detected: ${size} and ${other.size}`;
					if (nodeset?.some((node) => other.nodeset?.includes(node)))
						return `nodeset attribute of hugepages of sizes ${size} and ${other.size} intersect`;
				}
				const missing = nodeset?.find((node) => node >= cells);
				if (missing !== undefined) return `hugepages: node ${missing} not found`;
			}
			return undefined;
		},
	},
];

const detail = (broken: DomainRule["broken"]): DomainRule => ({ code: "XML_DETAIL", at: os, broken });

const LOADER_RULES: readonly DomainRule[] = [
	detail(({ def }) => {
		const { firmware, loader, nvram } = def.os;
		if (firmware === undefined) return undefined;
		const settled = (["readonly", "type", "path"] as const).find((key) => loader?.[key] !== undefined);
		if (settled)
			return `loader ${settled === "path" ? "path" : `attribute '${settled}'`} cannot be specified when firmware autoselection is enabled`;
		if (nvram?.template !== undefined)
			return "nvram attribute 'template' cannot be specified when firmware autoselection is enabled";
		if (loader?.secure === false)
			return "loader attribute 'secure' cannot be specified when firmware autoselection is enabled";
		return nvram && (nvram.path !== undefined || nvram.source) && firmware !== "efi"
			? `firmware type '${firmware}' does not support nvram`
			: undefined;
	}),
	detail(({ def }) => {
		const { firmware, firmwareFeatures, loader, nvram } = def.os;
		if (firmware !== undefined) return undefined;
		if (firmwareFeatures?.feature.length)
			return "cannot use feature-based firmware autoselection when firmware autoselection is disabled";
		return (loader || nvram) && loader?.path === undefined
			? "no loader path specified and firmware auto selection disabled"
			: undefined;
	}),
	detail(({ def }) => {
		const { firmware, loader, nvram } = def.os;
		if (loader?.stateless === true) {
			if (nvram?.template !== undefined) return "NVRAM template is not permitted when loader is stateless";
			return nvram ? "NVRAM is not permitted when loader is stateless" : undefined;
		}
		if (loader?.stateless !== false) return undefined;
		if (firmware === undefined) return loader.type === "pflash" ? undefined : "Only pflash loader type permits NVRAM";
		return firmware === "efi" ? undefined : "Only EFI firmware permits NVRAM";
	}),
];

/** Limits of the kernel's CPU controller (microseconds, shares). */
const SHARES = [2n, 262144n] as const;
const PERIOD = [1000n, 1000000n] as const;
const QUOTA = [1000n, 17592186044415n] as const;

const range = (
	name: keyof NonNullable<DefineContext["def"]["cputune"]>,
	[min, max]: readonly [bigint, bigint],
): DomainRule => ({
	code: "CONFIG_UNSUPPORTED",
	at: cputune,
	broken: ({ def }) => {
		const value = def.cputune?.[name];
		if (typeof value !== "bigint" && typeof value !== "number") return undefined;
		return value > 0 && (value < min || value > max)
			? `Value ${value} of cputune '${name}' must be in range [${min}, ${max}]`
			: undefined;
	},
});

const CPUTUNE_RULES: readonly DomainRule[] = [
	range("shares", SHARES),
	...(["period", "global_period", "emulator_period", "iothread_period"] as const).map((name) => range(name, PERIOD)),
	...(["quota", "global_quota", "emulator_quota", "iothread_quota"] as const).map((name) => range(name, QUOTA)),
];

const BOOT_RULES: readonly DomainRule[] = [
	{
		code: "CONFIG_UNSUPPORTED",
		at: os,
		broken: ({ def }) => {
			const { bootmenu, bios } = def.os;
			if (bootmenu?.enable && (bootmenu.timeout ?? 0) > 65535)
				return `invalid value ${bootmenu.timeout} for boot menu timeout, must be in range [0,65535]`;
			const { rebootTimeout = 0 } = bios ?? {};
			return rebootTimeout < -1 || rebootTimeout > 65535
				? `invalid value ${rebootTimeout} for rebootTimeout, must be in range [-1,65535]`
				: undefined;
		},
	},
];

const TUNE_RULES: readonly DomainRule[] = [
	{
		code: "CONFIG_UNSUPPORTED",
		at: ({ def }) => def.blkiotune,
		broken: ({ def }) => {
			const paths = def.blkiotune?.device.map(({ path }) => path) ?? [];
			const twice = paths.find((path, index) => paths.indexOf(path) !== index);
			return twice === undefined ? undefined : `duplicate blkio device path '${twice}'`;
		},
	},
	{
		code: "CONFIG_UNSUPPORTED",
		at: ({ def }) => def.idmap,
		broken: ({ def }) => {
			const { uid = [], gid = [] } = def.idmap ?? {};
			if ((uid.length === 0) !== (gid.length === 0)) return "uid and gid should be mapped both";
			return uid[0]?.start || gid[0]?.start ? "You must map the root user of container" : undefined;
		},
	},
];

export const COMMON_RULES: readonly DomainRule[] = [
	...RESOURCE_RULES,
	...LIFECYCLE_RULES,
	...HUGEPAGE_RULES,
	...LOADER_RULES,
	...CPUTUNE_RULES,
	...BOOT_RULES,
	...TUNE_RULES,
];
