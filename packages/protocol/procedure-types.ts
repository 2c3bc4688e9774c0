// The types that follow from the tables: names of calls and events, and what each carries.

import type { CallProcedure, EventProcedure } from "./procedure.ts";
import type { PROGRAMS, ProgramName } from "./programs.ts";

/** The table of a program. */
export type Procedures<G extends ProgramName> = (typeof PROGRAMS)[G]["procedures"];

/** The names of a program's calls. */
export type CallName<G extends ProgramName = "remote"> = {
	[P in keyof Procedures<G>]: Procedures<G>[P] extends CallProcedure<infer _A, infer _R> ? P : never;
}[keyof Procedures<G>];

/** The names of a program's events. */
export type EventName<G extends ProgramName = "remote"> = {
	[P in keyof Procedures<G>]: Procedures<G>[P] extends EventProcedure<infer _M> ? P : never;
}[keyof Procedures<G>];

/** What a call takes; void when it takes nothing. */
export type ArgsOf<P extends CallName<G>, G extends ProgramName = "remote"> =
	Procedures<G>[P] extends CallProcedure<infer A, infer _R> ? A : never;

/** What a call answers; void when it answers nothing. */
export type RetOf<P extends CallName<G>, G extends ProgramName = "remote"> =
	Procedures<G>[P] extends CallProcedure<infer _A, infer R> ? R : never;

/** What an event carries. */
export type MessageOf<P extends EventName<G>, G extends ProgramName = "remote"> =
	Procedures<G>[P] extends EventProcedure<infer M> ? M : never;
