// The shape of QEMU's answer to query-qmp-schema, as far as types are made of it (QEMU: qapi/introspect.json).

/** One entity of the schema. Type names other than builtin ones are masked: numbers that change between builds. */
export type SchemaEntity =
	| CommandEntity
	| EventEntity
	| ObjectEntity
	| EnumEntity
	| ArrayEntity
	| AlternateEntity
	| BuiltinEntity;

export interface CommandEntity {
	readonly "meta-type": "command";
	readonly name: string;
	readonly "arg-type": string;
	readonly "ret-type": string;
	readonly "allow-oob"?: boolean;
	readonly features?: readonly string[];
}

export interface EventEntity {
	readonly "meta-type": "event";
	readonly name: string;
	readonly "arg-type": string;
	readonly features?: readonly string[];
}

export interface ObjectMember {
	readonly name: string;
	readonly type: string;
	/** Present (and null) where the member may be left out. */
	readonly default?: unknown;
	readonly features?: readonly string[];
}

export interface ObjectEntity {
	readonly "meta-type": "object";
	readonly name: string;
	readonly members: readonly ObjectMember[];
	/** Member whose value decides which variant's members there are. */
	readonly tag?: string;
	readonly variants?: readonly { readonly case: string; readonly type: string }[];
	readonly features?: readonly string[];
}

export interface EnumEntity {
	readonly "meta-type": "enum";
	readonly name: string;
	readonly values: readonly string[];
}

export interface ArrayEntity {
	readonly "meta-type": "array";
	readonly name: string;
	readonly "element-type": string;
}

export interface AlternateEntity {
	readonly "meta-type": "alternate";
	readonly name: string;
	readonly members: readonly { readonly type: string }[];
}

export interface BuiltinEntity {
	readonly "meta-type": "builtin";
	readonly name: string;
	readonly "json-type": string;
}
