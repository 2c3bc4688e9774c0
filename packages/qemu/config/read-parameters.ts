// Checks typed parameters that a client sends against the names and types that an operation knows.

import { VirtError } from "@virtkit/base/errors";
import { TYPED_PARAM_TYPE, type TypedParam } from "@virtkit/core/typed-params";

export type ParameterType = keyof typeof TYPED_PARAM_TYPE;

const TYPE_NAMES = Object.fromEntries(Object.entries(TYPED_PARAM_TYPE).map(([name, number]) => [number, name]));

/**
 * Values by name, in the order of `params` (virTypedParamsValidate).
 *
 * Throws ARGUMENT_UNSUPPORTED for unknown names, INVALID_ARG for wrong types and repetitions.
 */
export function readParameters<N extends string>(
	params: readonly TypedParam[],
	known: Readonly<Record<N, ParameterType>>,
): Map<N, TypedParam["value"]["value"]> {
	const isKnown = (field: string): field is N => Object.hasOwn(known, field);
	const values = new Map<N, TypedParam["value"]["value"]>();
	for (const { field, value } of params) {
		if (!isKnown(field))
			throw new VirtError("ARGUMENT_UNSUPPORTED", `parameter '${field}' not supported`, { domain: "NONE" });
		const given = TYPE_NAMES[value.type];
		if (given !== known[field])
			throw new VirtError(
				"INVALID_ARG",
				`invalid type '${given}' for parameter '${field}', expected '${known[field]}'`,
				{ domain: "NONE" },
			);
		if (values.has(field))
			throw new VirtError("INVALID_ARG", `parameter '${field}' occurs multiple times`, { domain: "NONE" });
		values.set(field, value.value);
	}
	return values;
}
