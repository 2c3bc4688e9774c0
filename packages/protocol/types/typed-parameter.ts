// libvirt's typed parameters: named values that carry their type, by which calls grow without a new procedure.

import type { Codec, Infer } from "@virtkit/xdr/codec";
import { array, union } from "@virtkit/xdr/composite";
import { bool, double, hyper, int, uhyper, uint } from "@virtkit/xdr/primitive";
import { struct } from "@virtkit/xdr/struct";
import { text } from "./text.ts";

/** The number of the type is virTypedParameterType: int, unsigned int, long long, unsigned long long, double, boolean, string. */
export const typedParameter = struct({
	field: text,
	value: union({ 1: int, 2: uint, 3: hyper, 4: uhyper, 5: double, 6: bool, 7: text }),
});

export type TypedParameter = Infer<typeof typedParameter>;

/** A list of at most `max` typed parameters. */
export function typedParameters(max: number): Codec<TypedParameter[]> {
	return array(typedParameter, max);
}
