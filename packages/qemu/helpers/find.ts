// Finds programs: those to be started for guests, and those that a former daemon started.

import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { VirtError } from "@virtkit/base/errors";
import { findByEnvironment } from "@virtkit/host/process";
import { GUEST_VARIABLE, HELPER_VARIABLE, type Helper } from "./helper.ts";

/** Where programs are looked for when the daemon's own PATH leaves them out. */
const FOLDERS = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/** PATH of helpers, and of the programs that they start. */
export const HELPER_PATH = FOLDERS.join(":");

/** Folders of QEMU's own helpers, which are in nobody's PATH. */
const HELPER_FOLDERS = ["/usr/lib/qemu", "/usr/libexec", "/usr/libexec/qemu"];

/** Path of a program of that name; undefined where the host has none. */
export function findProgram(name: string): string | undefined {
	const folders = [...(process.env.PATH ?? "").split(":").filter((folder) => folder.startsWith("/")), ...FOLDERS];
	return [...folders, ...HELPER_FOLDERS].map((folder) => join(folder, name)).find(isExecutable);
}

/** Whether the file at `path` can be executed. */
export function isExecutable(path: string): boolean {
	try {
		accessSync(path, constants.X_OK);
		return true;
	} catch {
		return false;
	}
}

/** Path of a program of that name. Throws OPERATION_FAILED naming it, and the package to install where given. */
export function needProgram(name: string, hint?: string): string {
	const found = findProgram(name);
	if (found !== undefined) return found;
	const remedy = hint === undefined ? "" : `; install ${hint}`;
	throw new VirtError("OPERATION_FAILED", `Unable to find '${name}' binary in $PATH${remedy}`);
}

/** Running helpers by the private folder of their guest, where that is below `marker`. */
export function findHelpers(marker: string): Map<string, Helper[]> {
	const found = new Map<string, Helper[]>();
	for (const { identity, environment } of findByEnvironment(GUEST_VARIABLE)) {
		const guest = environment.get(GUEST_VARIABLE) ?? "";
		if (!guest.startsWith(marker)) continue;
		const helper = { name: environment.get(HELPER_VARIABLE) ?? "helper", process: identity };
		found.set(guest, [...(found.get(guest) ?? []), helper]);
	}
	return found;
}
