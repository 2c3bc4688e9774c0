// Typed parameters: libvirt's extensible name–type–value lists (virTypedParameter).

/** Types with their numbers (virTypedParameterType). */
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
	| { readonly type: 1 | 2; readonly value: number }
	| { readonly type: 3 | 4; readonly value: bigint }
	| { readonly type: 5; readonly value: number }
	| { readonly type: 6; readonly value: boolean }
	| { readonly type: 7; readonly value: string };

/** One parameter; the type stands as its number, so that bulk statistics go to the wire as they are. */
export interface TypedParam {
	readonly field: string;
	readonly value: TypedValue;
}

/** Makers, one a type: `param.uint("vcpu.current", 2)`. */
export const param = {
	int: (field: string, value: number): TypedParam => ({
		field,
		value: { type: 1, value },
	}),
	uint: (field: string, value: number): TypedParam => ({
		field,
		value: { type: 2, value },
	}),
	llong: (field: string, value: bigint): TypedParam => ({
		field,
		value: { type: 3, value },
	}),
	ullong: (field: string, value: bigint): TypedParam => ({
		field,
		value: { type: 4, value },
	}),
	double: (field: string, value: number): TypedParam => ({
		field,
		value: { type: 5, value },
	}),
	boolean: (field: string, value: boolean): TypedParam => ({
		field,
		value: { type: 6, value },
	}),
	string: (field: string, value: string): TypedParam => ({
		field,
		value: { type: 7, value },
	}),
} as const;
