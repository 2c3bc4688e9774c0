// The error that travels in a reply or at the end of a stream.

import type { Infer } from "@virtkit/xdr/codec";
import { optional } from "@virtkit/xdr/composite";
import { int } from "@virtkit/xdr/primitive";
import { struct } from "@virtkit/xdr/struct";
import { domain, network } from "./object.ts";
import { optionalText } from "./text.ts";

/** virErrorLevel */
export const ERROR_LEVELS = { NONE: 0, WARNING: 1, ERROR: 2 } as const;

/**
 * remote_error: code (virErrorNumber), domain (virErrorDomain), message as shown to people, level (virErrorLevel).
 * `str1` is the message's wording without its detail, `str2` the detail. `dom` and `net` are unused, always null.
 */
export const remoteError = struct({
	code: int,
	domain: int,
	message: optionalText,
	level: int,
	dom: optional(domain),
	str1: optionalText,
	str2: optionalText,
	str3: optionalText,
	int1: int,
	int2: int,
	net: optional(network),
});

export type RemoteError = Infer<typeof remoteError>;
