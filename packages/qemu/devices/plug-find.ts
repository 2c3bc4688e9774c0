// Finds the device of a definition that a document means by describing it.

import { VirtError } from "@virtkit/base/errors";
import type { DefineContext } from "./entry.ts";

/**
 * Whether `found` is what `wanted` describes: everything that `wanted` says is the same of it. What the document leaves
 * out, such as id and address, may be anything.
 */
export function isDescribedBy(wanted: unknown, found: unknown): boolean {
	if (wanted === undefined) return true;
	if (Array.isArray(wanted))
		return (
			Array.isArray(found) &&
			wanted.length === found.length &&
			wanted.every((part, index) => isDescribedBy(part, found[index]))
		);
	if (typeof wanted !== "object" || wanted === null) return wanted === found;
	if (typeof found !== "object" || found === null) return Object.values(wanted).every((part) => part === undefined);
	return Object.entries(wanted).every(([name, part]) => isDescribedBy(part, (found as Record<string, unknown>)[name]));
}

/** Finds the one device of `list` that the wanted one describes. Throws DEVICE_MISSING in the words of `missing`. */
export const findDescribed =
	<D extends object>(list: (context: DefineContext) => readonly D[], missing: (wanted: D) => string) =>
	(wanted: D, context: DefineContext): D => {
		const found = list(context).find((each) => isDescribedBy(wanted, each));
		if (found) return found;
		throw new VirtError("DEVICE_MISSING", missing(wanted));
	};
