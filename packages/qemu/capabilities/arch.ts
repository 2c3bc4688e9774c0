// The architectures that libvirt knows, in its order, with QEMU's names for them.

import { machine as kernelMachine } from "node:os";

export interface Arch {
	/** libvirt's name, used in documents. */
	readonly name: string;
	/** Bits of a machine word. */
	readonly wordSize: 32 | 64;
	/** QEMU's name: of the binary `qemu-system-NAME`, and of query-target. */
	readonly qemu: string;
}

const arch = (name: string, wordSize: 32 | 64, qemu: string = name): Arch => ({ name, wordSize, qemu });

/** In the order in which libvirt lists guests. */
export const ARCHES: readonly Arch[] = [
	arch("alpha", 64),
	arch("armv6l", 32, "arm"),
	arch("armv7l", 32, "arm"),
	arch("aarch64", 64),
	arch("cris", 32),
	arch("i686", 32, "i386"),
	arch("lm32", 32),
	arch("m68k", 32),
	arch("microblaze", 32),
	arch("microblazeel", 32),
	arch("mips", 32),
	arch("mipsel", 32),
	arch("mips64", 64),
	arch("mips64el", 64),
	arch("ppc", 32),
	arch("ppc64", 64),
	arch("ppc64le", 64),
	arch("riscv32", 32),
	arch("riscv64", 64),
	arch("s390x", 64),
	arch("sh4", 32),
	arch("sh4eb", 64),
	arch("sparc", 32),
	arch("sparc64", 64),
	arch("unicore32", 32),
	arch("x86_64", 64),
	arch("xtensa", 32),
	arch("xtensaeb", 32),
];

/** libvirt's name for what QEMU calls `target`; the same word where libvirt knows no such architecture. */
export function archOfTarget(target: string): string {
	return ARCHES.findLast((one) => one.qemu === target)?.name ?? target;
}

/** The architecture of that name. */
export function archNamed(name: string): Arch | undefined {
	return ARCHES.find((one) => one.name === name);
}

/** libvirt's name for the host's architecture (uname's is the same but for 32-bit x86). */
export function hostArch(): string {
	const name = kernelMachine();
	return /^i[3-6]86$/.test(name) ? "i686" : name;
}

/** Whether guests of `guest` can run on the processor of `host` itself: the same kind, or its 32-bit sister. */
export function isNative(host: string, guest: string): boolean {
	return host === guest || NATIVE_SISTERS[host]?.includes(guest) === true;
}

const NATIVE_SISTERS: Readonly<Record<string, readonly string[]>> = {
	x86_64: ["i686"],
	aarch64: ["armv7l"],
	armv7l: ["armv6l"],
	ppc64le: ["ppc64"],
};
