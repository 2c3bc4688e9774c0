// The machine type of a definition: the architecture's usual one where none is named, and the full name for an alias.

import { VirtError } from "@virtkit/base/errors";
import type { EmulatorCapabilities, MachineType } from "../capabilities/emulator.ts";
import type { DefineContext } from "../devices/entry.ts";

/** The machine type that guests of an architecture get, where QEMU's own default is another or none (libvirt's preferredMachines). */
const PREFERRED: Readonly<Record<string, string>> = {
	alpha: "clipper",
	armv6l: "integratorcp",
	armv7l: "integratorcp",
	armv7b: "integratorcp",
	aarch64: "integratorcp",
	cris: "axis-dev88",
	i686: "pc",
	lm32: "lm32-evr",
	m68k: "mcf5208evb",
	microblaze: "petalogix-s3adsp1800",
	microblazeel: "petalogix-s3adsp1800",
	mips: "malta",
	mipsel: "malta",
	mips64: "malta",
	mips64el: "malta",
	openrisc: "or1k-sim",
	ppc: "g3beige",
	ppcle: "g3beige",
	ppc64: "pseries",
	ppc64le: "pseries",
	ppcemb: "bamboo",
	riscv32: "spike_v1.10",
	riscv64: "spike_v1.10",
	s390x: "s390-ccw-virtio",
	sh4: "shix",
	sh4eb: "shix",
	sparc: "SS-5",
	sparc64: "sun4u",
	unicore32: "puv3",
	x86_64: "pc",
	xtensa: "sim",
	xtensaeb: "sim",
};

/** The machine type that a guest gets where its definition names none. */
export function preferredMachine(caps: EmulatorCapabilities): MachineType | undefined {
	const usual = PREFERRED[caps.arch];
	return (
		(usual === undefined ? undefined : caps.machine(usual)) ??
		caps.defaultMachine ??
		caps.facts.machines.find(({ name }) => name !== "none")
	);
}

/** Names a machine type where the definition names none. */
export function nameMachine({ def, caps }: DefineContext): void {
	if (def.bootloader !== undefined || def.bootloader_args !== undefined)
		throw new VirtError("CONFIG_UNSUPPORTED", "bootloader is not supported by QEMU");
	const { type } = def.os;
	if (type.machine !== undefined) return;
	const preferred = preferredMachine(caps);
	if (!preferred)
		throw new VirtError(
			"INVALID_ARG",
			`could not get preferred machine for ${caps.binary} type=${def.type}; name one in <os><type machine='…'>`,
		);
	type.machine = preferred.name;
}

/** Writes an alias of a machine type out: `pc` becomes `pc-i440fx-7.2`. */
export function canonicalizeMachine({ def, caps }: DefineContext): void {
	const { type } = def.os;
	if (type.machine !== undefined) type.machine = caps.machine(type.machine)?.name ?? type.machine;
}
