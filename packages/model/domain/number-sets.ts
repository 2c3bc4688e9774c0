// Sets of CPUs and NUMA nodes in domain attributes, with libvirt's codes for malformed and for empty ones.

import type { ErrorCode } from "@virtkit/base/errors";
import { formatNumberSet, parseNumberSet } from "@virtkit/xml/bitmap";
import type { Codec } from "@virtkit/xml/codec";

/** Members end below this (libvirt's VIR_DOMAIN_CPUMASK_LEN). */
const MEMBERS_END = 16384;

/** A set with at least one member. Use with `code: numberSetCode`. */
export const someNumbers: Codec<number[]> = {
	parse: (text) => {
		const members = parseNumberSet(text);
		return members !== undefined && members.length > 0 && (members.at(-1) ?? 0) < MEMBERS_END ? members : undefined;
	},
	format: formatNumberSet,
	allowed: "a set of numbers such as 0-3,^2,8 with at least one member",
	json: { type: "array", items: { type: "integer", minimum: 0 }, minItems: 1 },
};

/** The code of a refused set: an empty one is unsupported, anything else an invalid argument. */
export function numberSetCode(text: string): ErrorCode {
	return parseNumberSet(text)?.length === 0 ? "CONFIG_UNSUPPORTED" : "INVALID_ARG";
}
