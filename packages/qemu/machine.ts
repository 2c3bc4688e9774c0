// Families of machine types: what follows from a guest's architecture and machine name.

import type { EmulatorCapabilities } from "./capabilities/emulator.ts";

/** The part of a definition that names its machine. */
export interface MachineHolder {
	readonly devices: object;
	readonly os?:
		| { readonly type?: { readonly arch?: string | undefined; readonly machine?: string | undefined } | undefined }
		| undefined;
}

interface Family {
	readonly arches: readonly string[];
	/** Names that are the family's own. */
	readonly names: readonly string[];
	/** Beginnings of versioned names. */
	readonly prefixes: readonly string[];
}

const X86 = ["i686", "x86_64"];
const ARM = ["armv6l", "armv7l", "aarch64"];
const RISCV = ["riscv32", "riscv64"];
const MIPS = ["mips", "mipsel", "mips64", "mips64el"];

const FAMILIES = {
	i440fx: { arches: X86, names: ["pc"], prefixes: ["pc-0.", "pc-1.", "pc-i440fx-", "rhel"] },
	q35: { arches: X86, names: ["q35"], prefixes: ["pc-q35-"] },
	isapc: { arches: X86, names: ["isapc"], prefixes: [] },
	microvm: { arches: X86, names: ["microvm"], prefixes: [] },
	armVirt: { arches: ARM, names: ["virt"], prefixes: ["virt-"] },
	vexpress: { arches: ARM, names: [], prefixes: ["vexpress-"] },
	versatilepb: { arches: ARM, names: ["versatilepb"], prefixes: [] },
	riscvVirt: { arches: RISCV, names: ["virt"], prefixes: ["virt-"] },
	pseries: { arches: ["ppc64", "ppc64le"], names: ["pseries"], prefixes: ["pseries-"] },
	s390ccw: { arches: ["s390", "s390x"], names: [], prefixes: ["s390-ccw"] },
	malta: { arches: MIPS, names: ["malta"], prefixes: [] },
} as const satisfies Record<string, Family>;
export type MachineFamily = keyof typeof FAMILIES;

/** The guest's architecture, '' where the document names none yet. */
export function archOf(def: MachineHolder): string {
	return def.os?.type?.arch ?? "";
}

/** The guest's machine type, '' where the document names none yet. */
export function machineOf(def: MachineHolder): string {
	return def.os?.type?.machine ?? "";
}

/** Whether the guest's machine belongs to `family`. */
export function isMachine(def: MachineHolder, family: MachineFamily): boolean {
	const { arches, names, prefixes }: Family = FAMILIES[family];
	const machine = machineOf(def);
	return (
		arches.includes(archOf(def)) && (names.includes(machine) || prefixes.some((prefix) => machine.startsWith(prefix)))
	);
}

export const isX86 = (def: MachineHolder): boolean => X86.includes(archOf(def));
export const isArm = (def: MachineHolder): boolean => ARM.includes(archOf(def));
export const isRiscv = (def: MachineHolder): boolean => RISCV.includes(archOf(def));
export const isMips = (def: MachineHolder): boolean => MIPS.includes(archOf(def));
export const isPpc64 = (def: MachineHolder): boolean => ["ppc64", "ppc64le"].includes(archOf(def));
export const isS390 = (def: MachineHolder): boolean => ["s390", "s390x"].includes(archOf(def));

/** Whether the machine has an IDE controller of its own. */
export function hasBuiltinIde(def: MachineHolder): boolean {
	return isMachine(def, "i440fx") || ["malta", "sun4u", "g3beige"].includes(machineOf(def));
}

/** Whether the machine has an NCR53C90 (ESP) SCSI controller of its own. */
export function hasBuiltinEsp(def: MachineHolder): boolean {
	const machine = machineOf(def);
	if (archOf(def) === "sparc") return true;
	if (archOf(def) === "m68k") return machine === "q800";
	return isMips(def) && ["magnum", "pica61"].includes(machine);
}

/** Whether the machine can have a PCI bus. */
export function supportsPci(def: MachineHolder, caps: EmulatorCapabilities): boolean {
	if (!isArm(def) && !isRiscv(def)) return true;
	if (machineOf(def) === "versatilepb") return true;
	return (isMachine(def, "armVirt") || isMachine(def, "riscvVirt")) && caps.has("gpex-pcihost");
}
