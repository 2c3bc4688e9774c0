// Builds the initial RAM file system of a tiny Linux guest from static busybox, modules of the kernel, and scripts of our own.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { type CpioEntry, encodeCpio } from "./cpio.ts";
import { COMMANDS, GUEST_AGENT, INIT, NETWORK, PLUG, POWER_BUTTON, PROFILE } from "./guest-scripts.ts";
import { collectModules } from "./kernel-modules.ts";

/** The drivers of the devices that guests of this project have; one that a kernel lacks is left out. */
export const GUEST_MODULES = [
	"virtio_pci",
	"virtio_mmio",
	"virtio_blk",
	"virtio_scsi",
	"virtio_net",
	"virtio_console",
	"virtio_balloon",
	"virtio-rng",
	"virtio_input",
	"9pnet_virtio",
	"9p",
	"i6300esb",
	"pvpanic-mmio",
	"pvpanic-pci",
	"button",
	"evdev",
	"sd_mod",
	"sr_mod",
	"ahci",
	"ata_piix",
	"e1000",
	"e1000e",
] as const;

export interface InitramfsOptions {
	/** The kernel's version as in /lib/modules/VERSION. */
	readonly kernelVersion: string;
	/** A statically linked busybox. */
	readonly busybox?: string;
	readonly modules?: readonly string[];
	/** Gzip costs an emulated guest time to unpack and saves the host space; plain unless told. */
	readonly compress?: boolean;
	/** Further entries, such as a program of a test. */
	readonly extra?: readonly CpioEntry[];
	/** Where lib/modules is; "/" but in tests. */
	readonly root?: string;
}

const FOLDERS = ["bin", "dev", "etc", "lib", "mnt", "proc", "root", "run", "sbin", "sys", "tmp"];

const SBIN: Readonly<Record<string, string>> = {
	plug: PLUG,
	"power-button": POWER_BUTTON,
	network: NETWORK,
	"guest-agent": GUEST_AGENT,
	...COMMANDS,
};

function program(path: string, data: Uint8Array | string): CpioEntry {
	return { kind: "file", path, data, mode: 0o755 };
}

function busyboxEntries(busybox: string): CpioEntry[] {
	const names = execFileSync(busybox, ["--list"], { encoding: "latin1" }).trim().split("\n");
	const links = names.filter((name) => name !== "busybox" && !(name in COMMANDS));
	return [
		program("bin/busybox", readFileSync(busybox)),
		...links.map((name): CpioEntry => ({ kind: "symlink", path: `bin/${name}`, target: "busybox" })),
	];
}

/**
 * The archive, ready for QEMU's `-initrd`.
 *
 * The guest prints `virtkit-guest: ready` on its console, runs the shell command given as `run="…"` on the kernel's
 * command line, and then offers a shell there; the ACPI power button shuts it down.
 */
export function buildInitramfs(options: InitramfsOptions): Uint8Array {
	const { modules = GUEST_MODULES, busybox = "/bin/busybox" } = options;
	const entries: CpioEntry[] = [
		...FOLDERS.map((path): CpioEntry => ({ kind: "folder", path })),
		{ kind: "character", path: "dev/console", major: 5, minor: 1 },
		...busyboxEntries(busybox),
		program("init", INIT),
		...Object.entries(SBIN).map(([name, text]) => program(`sbin/${name}`, text)),
		{ kind: "file", path: "etc/profile", data: PROFILE },
		...collectModules(options.kernelVersion, modules, options.root).entries,
		...(options.extra ?? []),
	];
	const archive = encodeCpio(entries);
	return options.compress ? gzipSync(archive, { level: 6 }) : archive;
}
