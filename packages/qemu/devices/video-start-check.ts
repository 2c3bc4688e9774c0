// Graphics cards that another process renders (vhost-user-gpu): the host must have a program for it.

import { join } from "node:path";
import { VirtError } from "@virtkit/base/errors";
import type { HostFiles } from "../host-files.ts";
import type { DomainStep } from "./entry.ts";

/** Folders in which programs for vhost-user describe themselves (QEMU: vhost-user.json). */
const FOLDERS = ["/etc/qemu/vhost-user", "/usr/share/qemu/vhost-user"];

function isGpu(description: string | undefined): boolean {
	try {
		const described = JSON.parse(description ?? "null") as { readonly type?: unknown } | null;
		return described?.type === "gpu";
	} catch {
		return false;
	}
}

function hasGpu(folder: string, files: HostFiles): boolean {
	const names = files.list(folder) ?? [];
	return names.some((name) => name.endsWith(".json") && isGpu(files.read(join(folder, name))));
}

/** Throws where a card is to be rendered by another process. */
export const checkVideosToStart: DomainStep = ({ def, host }) => {
	if (!def.devices.videos.some(({ driver }) => driver?.name === "vhostuser")) return;
	if (!FOLDERS.some((folder) => hasGpu(folder, host.files)))
		throw new VirtError("OPERATION_FAILED", "Unable to find a satisfying vhost-user-gpu");
	throw new VirtError("OPERATION_UNSUPPORTED", "vhost-user-gpu is not started for guests; use another <video> driver");
};
