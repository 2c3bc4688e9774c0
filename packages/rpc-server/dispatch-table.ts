// The table that a message's numbers are looked up in: every declared call, with its handler where there is one.

import { VirtError } from "@virtkit/base/errors";
import { apiName } from "@virtkit/protocol/api-name";
import { type ProgramIndex, programIndex } from "@virtkit/protocol/lookup";
import type { CallProcedure } from "@virtkit/protocol/procedure";
import type { ProgramName } from "@virtkit/protocol/programs";
import { errorDomainOf } from "./error-domain.ts";
import type { ClientContext, ProgramHandlers } from "./handler.ts";

/** A handler whose types have been checked where it was declared. */
type AnyHandler = (context: ClientContext, args: unknown) => unknown;

/** A call as a server answers it. */
export interface DispatchEntry {
	readonly program: ProgramName;
	readonly name: string;
	readonly apiName: string;
	readonly procedure: CallProcedure;
	readonly handler: AnyHandler;
	/** How often it was answered, and how often with an error: counted where it is looked up anyway. */
	readonly count: { calls: number; errors: number };
}

export interface DispatchProgram {
	readonly number: number;
	readonly version: number;
	/** Sparse: numbers of events, and those unknown, are undefined. */
	readonly entries: readonly (DispatchEntry | undefined)[];
}

/** The programs that have handlers, by number. Calls without one are answered as not supported. */
export function buildDispatchTable(handlers: ProgramHandlers): ReadonlyMap<number, DispatchProgram> {
	const names = Object.keys(handlers) as ProgramName[];
	return new Map(
		names.map((name) => [programIndex(name).number, buildProgram(programIndex(name), handlers[name] ?? {})]),
	);
}

function buildProgram(index: ProgramIndex, handlers: object): DispatchProgram {
	const byName = handlers as Readonly<Record<string, AnyHandler | undefined>>;
	const entries = index.byNumber.map((row): DispatchEntry | undefined => {
		if (row?.procedure.kind !== "call") return undefined;
		const name = apiName(index.name, row.name);
		const handler = byName[row.name] ?? unsupported(index.name, row.name, name);
		return {
			program: index.name,
			name: row.name,
			apiName: name,
			procedure: row.procedure,
			handler,
			count: { calls: 0, errors: 0 },
		};
	});
	return { number: index.number, version: index.version, entries };
}

function unsupported(program: ProgramName, procedure: string, name: string): AnyHandler {
	const domain = errorDomainOf(program, procedure);
	return () => {
		throw new VirtError("NO_SUPPORT", name, { domain });
	};
}
