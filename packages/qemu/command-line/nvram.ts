// The storage of firmware variables as a block device.

import type { BuildContext } from "../devices/entry.ts";

/** Appends the block device `node` that holds the variables. */
export function buildNvramStorage({ command, def }: BuildContext, node: string): void {
	const { nvram } = def.os;
	command.addJson("-blockdev", {
		driver: "file",
		filename: nvram?.path,
		"node-name": node,
		"auto-read-only": true,
		discard: "unmap",
	});
}
