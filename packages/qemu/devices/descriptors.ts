// Descriptors that devices inherit: opened before the build, or only numbered where nothing may be opened.

import { VirtError } from "@virtkit/base/errors";
import type { BuildContext } from "./entry.ts";

/** Stands for a descriptor where only the text of the command line is wanted. */
const NOT_OPENED = -1;

/**
 * What QEMU calls the descriptors that were opened for `device`.
 *
 * In a dry run `wanted` numbers are made up. Throws INTERNAL_ERROR where fewer than `wanted` were opened.
 */
export function inheritedDescriptors(device: object, wanted: number, context: BuildContext): (number | string)[] {
	const { command, dryRun } = context;
	const opened = context.descriptors.get(device) ?? (dryRun ? new Array<number>(wanted).fill(NOT_OPENED) : []);
	if (opened.length < wanted)
		throw new VirtError("INTERNAL_ERROR", `${opened.length} descriptors were opened for a device that needs ${wanted}`);
	return opened.map((fd) => command.passFd(fd));
}
