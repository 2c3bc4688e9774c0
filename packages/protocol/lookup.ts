// Finding the row behind the numbers of a message.

import type { Procedure } from "./procedure.ts";
import { PROGRAMS, type ProgramName } from "./programs.ts";

/** A row with its name and its program's. */
export interface NamedProcedure<P extends Procedure = Procedure> {
	readonly program: ProgramName;
	readonly name: string;
	readonly procedure: P;
}

/** A program's rows by number. */
export interface ProgramIndex {
	readonly name: ProgramName;
	readonly number: number;
	readonly version: number;
	/** Sparse: numbers without a row are undefined. */
	readonly byNumber: readonly (NamedProcedure | undefined)[];
}

function indexProgram(name: ProgramName): ProgramIndex {
	const { number, version, procedures } = PROGRAMS[name];
	const byNumber: (NamedProcedure | undefined)[] = [];
	for (const [procedureName, procedure] of Object.entries<Procedure>(procedures)) {
		byNumber[procedure.number] = { program: name, name: procedureName, procedure };
	}
	return { name, number, version, byNumber };
}

const INDEXES = (Object.keys(PROGRAMS) as ProgramName[]).map(indexProgram);
const BY_NUMBER = new Map(INDEXES.map((index) => [index.number, index]));
const BY_NAME = new Map(INDEXES.map((index) => [index.name, index]));

/** A program's rows by number. */
export function programIndex(name: ProgramName): ProgramIndex {
	// Every name of the type is a key of the table that the map is made from.
	return BY_NAME.get(name) as ProgramIndex;
}

/** The program behind a number on the wire, undefined when there is none. */
export function programByNumber(number: number): ProgramIndex | undefined {
	return BY_NUMBER.get(number);
}

/** Every row of every program, in the order of their numbers. */
export function allProcedures(): NamedProcedure[] {
	return INDEXES.flatMap((index) => index.byNumber.filter((row) => row !== undefined));
}
