// Where the emulators of this host are.

import { accessSync, constants, statSync } from "node:fs";
import { join } from "node:path";
import { archNamed, isNative } from "./arch.ts";

/** Red Hat's only emulator, outside of everybody's PATH. */
const QEMU_KVM = "/usr/libexec/qemu-kvm";

/** Finds `name` in the folders of `path` (PATH's syntax). */
function findInPath(name: string, path: string): string | undefined {
	return path
		.split(":")
		.filter((folder) => folder.startsWith("/"))
		.map((folder) => join(folder, name))
		.find(isExecutable);
}

function isExecutable(path: string): boolean {
	try {
		accessSync(path, constants.X_OK);
		return statSync(path).isFile();
	} catch {
		return false;
	}
}

/** The emulator that guests of `guest` get on a host of `host` (libvirt's names); undefined where none is installed. */
export function defaultEmulator(host: string, guest: string, path = process.env["PATH"] ?? ""): string | undefined {
	const binaryOf = (arch: string) => findInPath(`qemu-system-${archNamed(arch)?.qemu ?? arch}`, path);
	// Only the 64-bit emulator can use KVM for 32-bit guests.
	const first = host === "aarch64" && guest === "armv7l" ? binaryOf(host) : undefined;
	const target = isNative(host, guest) ? host : guest === "ppc64le" ? "ppc64" : guest;
	const redHat = isNative(host, guest) && isExecutable(QEMU_KVM) ? QEMU_KVM : undefined;
	return first ?? binaryOf(guest) ?? (target === guest ? undefined : binaryOf(target)) ?? redHat;
}
