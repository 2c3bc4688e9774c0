// Which device nodes a guest may open, by the v1 devices controller; v2 needs a BPF program and is reported as missing.

import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VirtError } from "@virtkit/base/errors";
import { isErrno, systemError } from "../system-error.ts";
import type { Cgroup } from "./group.ts";

/** Nodes that every QEMU may open, as in libvirt's default device list. */
export const DEFAULT_DEVICES = [
	"/dev/null",
	"/dev/full",
	"/dev/zero",
	"/dev/random",
	"/dev/urandom",
	"/dev/ptmx",
	"/dev/kvm",
] as const;

/** Pseudo terminals (major 136) have one node each, made as they are opened. */
const PTY_MAJOR = 136;

/** Read, write, make the node. */
export type DevicePermissions = "r" | "rw" | "rwm";

function control(group: Cgroup, file: "devices.allow" | "devices.deny", rule: string): void {
	if (group.place.version === 2) {
		throw new VirtError("OPERATION_UNSUPPORTED", "device access lists need the cgroup v1 devices controller");
	}
	const path = join(group.folderOf("devices"), file);
	try {
		writeFileSync(path, rule);
	} catch (error) {
		throw systemError(`Unable to write '${rule}' to '${path}'`, error);
	}
}

/** The kernel splits st_rdev so (makedev(3)). */
function nodeNumber(path: string): string | undefined {
	try {
		const stat = statSync(path);
		if (!stat.isBlockDevice() && !stat.isCharacterDevice()) return undefined;
		const device = BigInt(stat.rdev);
		const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
		const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn);
		return `${stat.isBlockDevice() ? "b" : "c"} ${major}:${minor}`;
	} catch (error) {
		if (isErrno(error, "ENOENT")) return undefined;
		throw systemError(`cannot look at device '${path}'`, error);
	}
}

/** Lets the group's members open only the default devices and pseudo terminals. */
export function restrictDevices(group: Cgroup): void {
	control(group, "devices.deny", "a");
	control(group, "devices.allow", `c ${PTY_MAJOR}:* rw`);
	for (const path of DEFAULT_DEVICES) allowDevice(group, path, "rw");
}

/** Lets the members open the device node at `path`; false when it is no device node. */
export function allowDevice(group: Cgroup, path: string, permissions: DevicePermissions): boolean {
	const number = nodeNumber(path);
	if (number !== undefined) control(group, "devices.allow", `${number} ${permissions}`);
	return number !== undefined;
}

/** Takes that right back. */
export function denyDevice(group: Cgroup, path: string, permissions: DevicePermissions): boolean {
	const number = nodeNumber(path);
	if (number !== undefined) control(group, "devices.deny", `${number} ${permissions}`);
	return number !== undefined;
}
