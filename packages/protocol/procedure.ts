// What a row of a program's table is: a procedure's number, what goes in and out, who may call it, and how.

import type { Codec, Infer } from "@virtkit/xdr/codec";
import { voidCodec } from "@virtkit/xdr/primitive";
import { struct } from "@virtkit/xdr/struct";
import type { AccessFilter, AccessRule } from "./access.ts";

type Fields = Readonly<Record<string, Codec<unknown>>>;
/** The values of a field list; without fields there is no value at all. */
type ValueOf<F extends Fields> = keyof F extends never ? void : { -readonly [N in keyof F]: Infer<F[N]> };

/** Neither arguments nor results. */
export const none = {} as const;

/**
 * Where a call's stream carries data, seen from the client: `read` from the server, `write` to it.
 * The console procedures are declared `read` and carry both ways.
 */
export type StreamDirection = "none" | "read" | "write";

/** `high` may be answered at once even while other calls wait for a hypervisor; `low` may block. */
export type Priority = "low" | "high";

interface CallRules {
	/** What the caller must be allowed to do; all of it. */
	readonly acl: readonly AccessRule[];
	/** What the caller must be allowed for an object to appear in a returned list. */
	readonly filter?: AccessFilter;
	readonly priority?: Priority;
	readonly stream?: StreamDirection;
}

/** A procedure that clients call and that is answered. */
export interface CallProcedure<A = unknown, R = unknown> {
	readonly kind: "call";
	readonly number: number;
	readonly args: Codec<A>;
	readonly ret: Codec<R>;
	readonly acl: readonly AccessRule[];
	readonly filter: AccessFilter | undefined;
	readonly priority: Priority;
	readonly stream: StreamDirection;
}

/** A message that the server sends unasked. */
export interface EventProcedure<M = unknown> {
	readonly kind: "event";
	readonly number: number;
	readonly message: Codec<M>;
}

export type Procedure = CallProcedure | EventProcedure;

/** A row of a program's table: a call. */
export function call<const A extends Fields, const R extends Fields>(
	number: number,
	args: A,
	ret: R,
	rules: CallRules,
): CallProcedure<ValueOf<A>, ValueOf<R>> {
	let argsCodec: Codec<ValueOf<A>> | undefined;
	let retCodec: Codec<ValueOf<R>> | undefined;
	return {
		kind: "call",
		number,
		// Made when first used: a client uses few of some five hundred rows, and waits for all of them to be made otherwise.
		get args() {
			argsCodec ??= fieldsCodec(args);
			return argsCodec;
		},
		get ret() {
			retCodec ??= fieldsCodec(ret);
			return retCodec;
		},
		acl: rules.acl,
		filter: rules.filter,
		priority: rules.priority ?? "low",
		stream: rules.stream ?? "none",
	};
}

/** A row of a program's table: an event. */
export function event<const M extends Fields>(number: number, message: M): EventProcedure<ValueOf<M>> {
	let codec: Codec<ValueOf<M>> | undefined;
	return {
		kind: "event",
		number,
		get message() {
			codec ??= fieldsCodec(message);
			return codec;
		},
	};
}

function fieldsCodec<F extends Fields>(fields: F): Codec<ValueOf<F>> {
	const codec: Codec<unknown> = Object.keys(fields).length === 0 ? voidCodec : struct(fields);
	// The type of a conditional on F's keys cannot be followed by the compiler; the line above is that conditional.
	return codec as Codec<ValueOf<F>>;
}
