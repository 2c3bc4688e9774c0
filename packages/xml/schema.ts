// Schema combinators: one declaration of an element gives its type, parser, formatter, validation and reference.

import type { ErrorCode } from "@virtkit/base/errors";
import type { Codec, JsonSchema } from "./codec.ts";
import type { FormatOptions } from "./format.ts";
import type { XmlElement } from "./node.ts";
import type { ReadContext } from "./read.ts";

/** An element's value, seen without its type: what conditions on siblings and parents look at. */
export type Loose = Readonly<Record<string, unknown>>;

/** What every kind of field may say of itself. */
export interface FieldOptions {
	/** Name in the document; the field's own key where absent. */
	readonly name?: string;
	/** Namespace URI of a child element that has one. */
	readonly uri?: string;
	/** Prefix that stands for that namespace in what is written. */
	readonly prefix?: string;
	/** What the field is for, one sentence, for the reference. */
	readonly doc?: string;
	/** Error code of a value that is not allowed; XML_ERROR where absent. May depend on the text. */
	readonly code?: ErrorCode | ((text: string) => ErrorCode);
	/** Error code where the field is required and not there; XML_ERROR where absent. */
	readonly missing?: ErrorCode;
	/** The field exists only then: it is neither read nor written otherwise. `self` holds the fields declared before it. */
	readonly when?: (self: Loose, parent: Loose | undefined) => boolean;
	/** Only a running guest has it: read where the document describes one, not written as configuration. */
	readonly live?: boolean;
	/** Written only then, always read. */
	readonly show?: (self: Loose, options: FormatOptions, parent: Loose | undefined) => boolean;
}

export interface AttributeField<T, R extends boolean = boolean> extends FieldOptions {
	readonly kind: "attribute";
	readonly codec: Codec<T>;
	readonly required: R;
	/** Read as if it were absent, and not written: a word that means the default. */
	readonly absent?: T;
	/** The value where the document has no such attribute; then written like any other. */
	readonly default?: T;
}

export interface TextField<T, R extends boolean = boolean> extends FieldOptions {
	readonly kind: "text";
	readonly codec: Codec<T>;
	readonly required: R;
}

/** A child element that holds one text and nothing else. */
export interface LeafField<T, R extends boolean = boolean> extends FieldOptions {
	readonly kind: "leaf";
	readonly codec: Codec<T>;
	readonly required: R;
	/** Read as if it were absent, and not written. */
	readonly absent?: T;
}

export interface ChildField<T, R extends boolean = boolean> extends FieldOptions {
	readonly kind: "child";
	readonly schema: Schema<T>;
	readonly required: R;
	/** Written even where nothing would be in it. */
	readonly keepEmpty?: boolean;
	/** An absent element is read as if an empty one stood there. */
	readonly implied?: boolean;
}

export interface ListField<T> extends FieldOptions {
	readonly kind: "list";
	readonly schema: Schema<T>;
	/** Element around the whole list, absent where the list is empty. */
	readonly inside?: string;
	/** Members that are written. */
	readonly showItem?: (item: Loose, options: FormatOptions) => boolean;
	readonly required: true;
}

export interface FlagField extends FieldOptions {
	readonly kind: "flag";
	readonly required: false;
}

export interface RawField extends FieldOptions {
	readonly kind: "raw";
	readonly required: false;
}

/** What a special field writes into its element: attributes (` a='b'`), own text (escaped), child lines. */
export interface Written {
	readonly attributes?: string;
	readonly text?: string;
	readonly body?: string;
}

export interface SpecialField<T, R extends boolean = boolean> extends FieldOptions {
	readonly kind: "special";
	readonly required: R;
	/** Reads the field from the whole element that holds it. */
	read(element: XmlElement, context: ReadContext): T | undefined;
	/** Lines of the field at `indent` spaces, each ending in a newline, '' for none; or what it puts into the element itself. */
	write(value: T, indent: number, options: FormatOptions, self: Loose): string | Written;
	readonly json: JsonSchema;
	/** Attribute names and child names that the field takes from the element. */
	readonly takes: {
		readonly attributes?: readonly string[];
		readonly children?: readonly string[];
		readonly text?: boolean;
	};
}

export type Field =
	| AttributeField<unknown>
	| TextField<unknown>
	| LeafField<unknown>
	| ChildField<unknown>
	| ListField<unknown>
	| FlagField
	| RawField
	| SpecialField<unknown>;

export type Fields = Readonly<Record<string, Field>>;

type FieldValue<F> =
	F extends AttributeField<infer T>
		? T
		: F extends TextField<infer T> | LeafField<infer T> | ChildField<infer T> | SpecialField<infer T>
			? T
			: F extends ListField<infer T>
				? T[]
				: F extends FlagField
					? boolean
					: F extends RawField
						? XmlElement
						: never;

type RequiredKeys<F> = {
	[K in keyof F]: F[K] extends { readonly required: true } ? K : never;
}[keyof F];

type Simplify<T> = { -readonly [K in keyof T]: T[K] };

/** The value type of a record of fields: required ones present, lists always arrays, the rest optional. */
export type FieldsValue<F> = Simplify<
	{ [K in RequiredKeys<F>]: FieldValue<F[K]> } & {
		[K in Exclude<keyof F, RequiredKeys<F>>]?: FieldValue<F[K]> | undefined;
	}
>;

/** A rule about a whole element, checked once it and its defaults stand. */
export interface Rule<T> {
	/** True where the rule is broken. */
	broken(value: T, root: Loose, parent: Loose | undefined): boolean;
	readonly code: ErrorCode;
	/** Names the thing, the value and the remedy. */
	message(value: T): string;
}

/** Error codes of a missing and of an unknown variant. */
export interface VariantCodes {
	readonly missing?: ErrorCode;
	readonly unknown?: ErrorCode;
}

/** What an element is. Made by `element` and `variants`. */
export interface Schema<T> {
	/** For the type alone; never set. */
	readonly type?: T;
	readonly fields: Fields;
	/** Attribute that decides which further fields there are, with those fields for each of its words. */
	readonly variants?: {
		readonly by: string;
		readonly of: Readonly<Record<string, Fields>>;
		readonly fallback?: string;
		/** Error codes of a missing and of an unknown word (XML_ERROR). */
		readonly codes?: VariantCodes;
	};
	readonly rules: readonly Rule<T>[];
	/** Turns an old or short spelling of the element into the one that the fields describe, before it is read. */
	rewrite?(element: XmlElement): XmlElement;
	/** Runs right after reading, on the value as read; may normalise it or throw. */
	onRead?(value: T, element: XmlElement, context: ReadContext): void;
	readonly doc?: string;
	/** Child elements that are not declared are refused with this code, always; ignored where absent. */
	readonly closed?: ErrorCode;
	/** Resolves a schema that is declared later (recursion). */
	readonly resolve?: () => Schema<T>;
}

/** The value type of a schema. */
export type Infer<S> = S extends Schema<infer T> ? T : never;

interface SchemaOptions<T> {
	readonly doc?: string;
	readonly rules?: readonly Rule<T>[];
	readonly closed?: ErrorCode;
	rewrite?(element: XmlElement): XmlElement;
	onRead?(value: T, element: XmlElement, context: ReadContext): void;
}

/** An element with these fields. Attributes are written first, then children, both in the order declared. */
export function element<const F extends Fields>(
	fields: F,
	options: SchemaOptions<FieldsValue<F>> = {},
): Schema<FieldsValue<F>> {
	const { rules = [], ...rest } = options;
	return { fields, rules, ...rest };
}

type VariantValue<B extends string, V, C> = {
	[K in keyof V]: Simplify<{ [P in B]: K } & FieldsValue<C> & FieldsValue<V[K]>>;
}[keyof V];

/** An element whose attribute `by` decides its other fields: a discriminated union on it. */
export function variants<
	const B extends string,
	const V extends Readonly<Record<string, Fields>>,
	const C extends Fields = Record<never, never>,
>(
	by: B,
	of: V,
	options: SchemaOptions<VariantValue<B, V, C>> & {
		readonly common?: C;
		readonly fallback?: keyof V & string;
		readonly codes?: VariantCodes;
	} = {},
): Schema<VariantValue<B, V, C>> {
	const { common = {}, fallback, codes, rules = [], ...rest } = options;
	const variant = {
		by,
		of,
		...(fallback === undefined ? {} : { fallback }),
		...(codes === undefined ? {} : { codes }),
	};
	return { fields: common, variants: variant, rules, ...rest } as Schema<VariantValue<B, V, C>>;
}

/** A schema declared elsewhere or later, for recursion; its type must be written out. */
export function lazy<T>(resolve: () => Schema<T>): Schema<T> {
	return { fields: {}, rules: [], resolve };
}

type Opts<T> = FieldOptions & T;

/** An attribute. */
export function attr<T>(codec: Codec<T>, options: Opts<{ required: true }>): AttributeField<T, true>;
export function attr<T>(codec: Codec<T>, options: Opts<{ default: NoInfer<T> }>): AttributeField<T, true>;
export function attr<T>(codec: Codec<T>, options?: Opts<{ absent?: NoInfer<T> }>): AttributeField<T, false>;
export function attr<T>(
	codec: Codec<T>,
	options: Opts<{ required?: boolean; absent?: T; default?: T }> = {},
): AttributeField<T> {
	return {
		kind: "attribute",
		codec,
		required: options.default !== undefined,
		...options,
	};
}

/** The element's own text. */
export function text<T>(codec: Codec<T>, options: Opts<{ required: true }>): TextField<T, true>;
export function text<T>(codec: Codec<T>, options?: FieldOptions): TextField<T, false>;
export function text<T>(codec: Codec<T>, options: Opts<{ required?: boolean }> = {}): TextField<T> {
	return { kind: "text", codec, required: false, ...options };
}

/** A child element that may stand once. */
export function child<T>(
	schema: Schema<T>,
	options: Opts<{ required: true; keepEmpty?: boolean; implied?: boolean }>,
): ChildField<T, true>;
export function child<T>(schema: Schema<T>, options?: Opts<{ keepEmpty?: boolean }>): ChildField<T, false>;
export function child<T>(
	schema: Schema<T>,
	options: Opts<{
		required?: boolean;
		keepEmpty?: boolean;
		implied?: boolean;
	}> = {},
): ChildField<T> {
	return { kind: "child", schema, required: false, ...options };
}

/** Child elements of one name, any number of them; `inside` names an element around them all. */
export function list<T>(
	schema: Schema<T>,
	options: Opts<Pick<ListField<T>, "inside" | "showItem">> = {},
): ListField<T> {
	return { kind: "list", schema, required: true, ...options };
}

/** A child element whose presence is the whole message. */
export function flag(options: FieldOptions = {}): FlagField {
	return { kind: "flag", required: false, ...options };
}

/** A child element kept as it is written. */
export function raw(options: FieldOptions = {}): RawField {
	return { kind: "raw", required: false, ...options };
}

/** A child element that holds nothing but one text: read and written as that text's value. */
export function leaf<T>(codec: Codec<T>, options: Opts<{ required: true }>): LeafField<T, true>;
export function leaf<T>(codec: Codec<T>, options?: Opts<{ absent?: T }>): LeafField<T, false>;
export function leaf<T>(codec: Codec<T>, options: Opts<{ required?: boolean; absent?: T }> = {}): LeafField<T> {
	return { kind: "leaf", codec, required: false, ...options };
}

/** A field that reads and writes itself, for the few shapes that the others cannot say. */
export function special<T>(
	options: Omit<SpecialField<T>, "kind" | "required"> & { required: true },
): SpecialField<T, true>;
export function special<T>(options: Omit<SpecialField<T>, "kind" | "required">): SpecialField<T, false>;
export function special<T>(
	options: Omit<SpecialField<T>, "kind" | "required"> & { required?: boolean },
): SpecialField<T> {
	return { kind: "special", required: false, ...options };
}
