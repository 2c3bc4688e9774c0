// VirtError to the error that libvirt's messages carry, and back.

import { ERROR_CODES, ERROR_DOMAINS } from "@virtkit/base/error-codes";
import { type ErrorDomain, errorCodeOf, VirtError } from "@virtkit/base/errors";
import { ERROR_LEVELS, type RemoteError } from "./types/error.ts";

const DOMAIN_BY_NUMBER = new Map<number, ErrorDomain>(
	Object.entries(ERROR_DOMAINS).map(([name, number]) => [number, name as ErrorDomain]),
);

/** What the peer is told: `str1` is the wording with `%s` for the detail, `str2` the detail, as libvirt fills them. */
export function toRemoteError(error: VirtError): RemoteError {
	const [, plain, detailed] = ERROR_CODES[error.code];
	return {
		code: error.number,
		domain: error.domainNumber,
		message: printable(error.message),
		level: ERROR_LEVELS.ERROR,
		dom: null,
		str1: error.detail === undefined ? plain : detailed,
		str2: error.detail === undefined ? null : printable(error.detail),
		str3: null,
		int1: error.int1,
		int2: error.int2,
		net: null,
	};
}

/** Text of foreign programs may hold NUL, which no string of the protocol can, and what terminals obey. */
const printable = (text: string): string => text.replaceAll(/[^\P{Cc}\n\t]/gu, "?");

/**
 * The error that a peer told us of.
 *
 * A code that this version does not know becomes an internal error whose detail is the whole message.
 */
export function fromRemoteError(remote: RemoteError): VirtError {
	const code = errorCodeOf(remote.code);
	const known = ERROR_CODES[code][0] === remote.code;
	return new VirtError(code, known ? detailOf(remote) : (remote.message ?? `error ${remote.code}`), {
		domain: DOMAIN_BY_NUMBER.get(remote.domain) ?? "NONE",
		int1: remote.int1,
		int2: remote.int2,
	});
}

/** libvirt puts the detail into `str2`; other servers may only send the message, which then starts with the wording. */
function detailOf(remote: RemoteError): string | undefined {
	if (remote.str2 !== null) return remote.str2;
	const [, plain, detailed] = ERROR_CODES[errorCodeOf(remote.code)];
	if (remote.message === null || remote.message === plain) return undefined;
	const prefix = detailed.slice(0, detailed.indexOf("%s"));
	return remote.message.startsWith(prefix) ? remote.message.slice(prefix.length) : remote.message;
}
