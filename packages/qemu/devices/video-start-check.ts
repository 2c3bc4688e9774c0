// Graphics cards that another process renders (vhost-user-gpu): the host must have a program for it.

import { join } from "node:path";
import { VirtError } from "@virtkit/base/errors";
import type { VideoDef } from "@virtkit/model/domain/video";
import type { HostFiles } from "../host-files.ts";
import type { DomainStep } from "./entry.ts";

/** Folders in which programs for vhost-user describe themselves (QEMU: vhost-user.json); a name of the first goes before. */
const FOLDERS = ["/etc/qemu/vhost-user", "/usr/share/qemu/vhost-user"];

/** The program that a description of a graphics card names. */
function programIn(description: string | undefined): string | undefined {
	try {
		const described = JSON.parse(description ?? "null") as { type?: unknown; binary?: unknown } | null;
		return described?.type === "gpu" ? String(described.binary) : undefined;
	} catch {
		return undefined;
	}
}

function programs(files: HostFiles): string[] {
	const found = new Map<string, string>();
	for (const folder of FOLDERS.toReversed())
		for (const name of files.list(folder) ?? []) if (name.endsWith(".json")) found.set(name, join(folder, name));
	return [...found]
		.sort(([one], [other]) => (one < other ? -1 : 1))
		.flatMap(([, path]) => programIn(files.read(path)) ?? []);
}

/**
 * The first program of the host that can render the card; `featuresOf` asks one what it can do.
 *
 * @throws VirtError OPERATION_FAILED where there is none.
 */
export function gpuProgram(
	{ model: { acceleration } }: VideoDef,
	files: HostFiles,
	featuresOf: (program: string) => readonly string[],
): string {
	const needed = [
		...(acceleration?.accel3d ? ["virgl"] : []),
		...(acceleration?.rendernode === undefined ? [] : ["render-node"]),
	];
	const found = programs(files).find(
		(program) => needed.length === 0 || needed.every((feature) => featuresOf(program).includes(feature)),
	);
	if (found !== undefined) return found;
	throw new VirtError("OPERATION_FAILED", "Unable to find a satisfying vhost-user-gpu");
}

/** Throws where a card is to be rendered by another process, and the host has no program for that. */
export const checkVideosToStart: DomainStep = ({ def, host }) => {
	for (const video of def.devices.videos)
		if (video.driver?.name === "vhostuser")
			gpuProgram({ ...video, model: { ...video.model, acceleration: undefined } }, host.files, () => []);
};
