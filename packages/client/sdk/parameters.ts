// Typed parameters as plain objects: what a reader of statistics wants.

import type { TypedParameter } from "@virtkit/protocol/types/typed-parameter";

/** 64-bit values are bigint, others number, boolean or string. */
export type ParameterValue = number | bigint | boolean | string;
export type Parameters = Readonly<Record<string, ParameterValue>>;

/** The parameters by name. */
export function parametersOf(params: readonly TypedParameter[]): Parameters {
	return Object.fromEntries(params.map(({ field, value }) => [field, value.value]));
}
