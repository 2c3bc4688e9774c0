// The storage of firmware variables as a block device.

import { storageProps } from "../devices/block-storage.ts";
import type { DiskImage } from "../devices/disk-image.ts";
import { imageSecrets } from "../devices/disk-secrets.ts";
import type { BuildContext } from "../devices/entry.ts";

/** Appends the block device `node` that holds the variables. */
export function buildNvramStorage(context: BuildContext, node: string): void {
	const { command, def } = context;
	const { nvram } = def.os;
	const image: DiskImage = {
		type: nvram?.type ?? "file",
		source: nvram?.source ?? { file: nvram?.path, host: [], seclabels: [] },
		format: "raw",
		readonly: false,
		id: undefined,
		auth: nvram?.source?.auth,
		encryption: nvram?.source?.encryption,
		cacheSize: undefined,
		options: {},
		backing: undefined,
	};
	for (const object of imageSecrets(image, context)) command.addJson("-object", object);
	command.addJson("-blockdev", { ...storageProps(image, context), "node-name": node });
}
