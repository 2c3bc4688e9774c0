// Paths of the host as documents spell them: repeated and trailing slashes are dropped.

import type { Codec } from "@virtkit/xml/codec";

/** `path` without repeated slashes and without one at its end; two slashes at the start stay, as POSIX has it. */
export function sanitizePath(path: string): string {
	const lead = /^\/\/(?!\/)/.test(path) ? "/" : "";
	return (
		lead +
		path
			.slice(lead.length)
			.replace(/\/{2,}/g, "/")
			.replace(/(.)\/$/, "$1")
	);
}

/** A path. */
export const sanitizedPath: Codec<string> = {
	parse: sanitizePath,
	format: (value) => value,
	allowed: "a path",
	json: { type: "string" },
};
