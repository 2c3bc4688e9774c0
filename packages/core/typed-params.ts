// Typed parameters: libvirt's extensible name–type–value lists (virTypedParameter).

/** Types with their numbers on the wire. */
export const TYPED_PARAM_TYPE = {
	int: 1,
	uint: 2,
	llong: 3,
	ullong: 4,
	double: 5,
	boolean: 6,
	string: 7,
} as const;

export type TypedValue =
	| { readonly type: "int" | "uint"; readonly value: number }
	| { readonly type: "llong" | "ullong"; readonly value: bigint }
	| { readonly type: "double"; readonly value: number }
	| { readonly type: "boolean"; readonly value: boolean }
	| { readonly type: "string"; readonly value: string };

export interface TypedParam {
	readonly field: string;
	readonly value: TypedValue;
}

const of =
	<T extends TypedValue["type"]>(type: T) =>
	(
		field: string,
		value: Extract<TypedValue, { type: T }>["value"],
	): TypedParam => ({ field, value: { type, value } as TypedValue });

/** Makers, one a type: `param.uint("state.state", 1)`. */
export const param = {
	int: of("int"),
	uint: of("uint"),
	llong: of("llong"),
	ullong: of("ullong"),
	double: of("double"),
	boolean: of("boolean"),
	string: of("string"),
} as const;
