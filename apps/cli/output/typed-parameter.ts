// Typed parameters as virsh prints and takes them.

import type { TypedParameter } from "@virtkit/protocol/types/typed-parameter";

/** libvirt's numbers of parameter types (virTypedParameterType). */
export const PARAMETER_TYPE = { int: 1, uint: 2, llong: 3, ullong: 4, double: 5, boolean: 6, string: 7 } as const;

/** A value as virsh prints it: yes and no, six decimals. */
export function formatValue({ value: { type, value } }: TypedParameter): string {
	if (type === PARAMETER_TYPE.boolean) return value ? "yes" : "no";
	return type === PARAMETER_TYPE.double ? value.toFixed(6) : String(value);
}

/** The parameter with `text` as its value, in the given type; nothing where the text is no such value. */
export function parseParameter(
	field: string,
	type: TypedParameter["value"]["type"],
	text: string,
): TypedParameter | undefined {
	if (type === PARAMETER_TYPE.string) return { field, value: { type, value: text } };
	if (type === PARAMETER_TYPE.boolean) {
		if (!/^(0|1|yes|no|true|false)$/.test(text)) return undefined;
		return { field, value: { type, value: /^(1|yes|true)$/.test(text) } } as TypedParameter;
	}
	if (type === PARAMETER_TYPE.double) {
		return Number.isNaN(Number(text)) ? undefined : { field, value: { type, value: Number(text) } };
	}
	if (!/^-?\d+$/.test(text)) return undefined;
	return (
		type === PARAMETER_TYPE.llong || type === PARAMETER_TYPE.ullong
			? { field, value: { type, value: BigInt(text) } }
			: { field, value: { type, value: Number(text) } }
	) as TypedParameter;
}

/** A parameter that is a 64-bit unsigned number. */
export const ullong = (field: string, value: bigint | number): TypedParameter => ({
	field,
	value: { type: PARAMETER_TYPE.ullong, value: BigInt(value) },
});

/** A parameter that is a text. */
export const text = (field: string, value: string): TypedParameter => ({
	field,
	value: { type: PARAMETER_TYPE.string, value },
});
