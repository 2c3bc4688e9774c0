// Graphics cards that another process renders (vhost-user-gpu): the host must have a program for it.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { VirtError } from "@virtkit/base/errors";
import type { DomainStep } from "./entry.ts";

/** Folders in which programs for vhost-user describe themselves (QEMU: vhost-user.json). */
const FOLDERS = ["/etc/qemu/vhost-user", "/usr/share/qemu/vhost-user"];

function isGpu(path: string): boolean {
	try {
		const described = JSON.parse(readFileSync(path, "utf8")) as { readonly type?: unknown } | null;
		return described?.type === "gpu";
	} catch {
		return false;
	}
}

function listFolder(folder: string): string[] {
	try {
		return readdirSync(folder).filter((name) => name.endsWith(".json"));
	} catch {
		return [];
	}
}

/** Throws where a card is to be rendered by another process. */
export const checkVideosToStart: DomainStep = ({ def }) => {
	if (!def.devices.videos.some(({ driver }) => driver?.name === "vhostuser")) return;
	if (!FOLDERS.some((folder) => listFolder(folder).some((name) => isGpu(join(folder, name)))))
		throw new VirtError("OPERATION_FAILED", "Unable to find a satisfying vhost-user-gpu");
	throw new VirtError("OPERATION_UNSUPPORTED", "vhost-user-gpu is not started for guests; use another <video> driver");
};
