// One client of one domain: does one operation after the other until the daemon is gone, and remembers what it was told.

import { VirtError } from "@virtkit/base/errors";
import { connect } from "@virtkit/client/sdk/connection";
import { type Known, OPERATIONS, type Operation } from "./facts.ts";
import type { Random } from "./random.ts";

/** What a client knows when its daemon was killed. */
export interface Remembered {
	readonly known: Known;
	/** The operation whose end it did not hear, and what it would have known then. */
	readonly pending?: { readonly operation: Operation; readonly after: Known } | undefined;
	readonly done: number;
}

/** Error codes of a connection that broke: the operation may have happened or not. */
const LOST = new Set(["NO_CONNECT", "RPC", "SYSTEM_ERROR", "INTERNAL_ERROR", "OPERATION_ABORTED"]);

/**
 * QEMU 7.2 writes the state of a guest only once unless it runs in between. A guest that its user had paused, and whose save
 * was cut off when all was written, can be resumed but not saved again before that.
 */
const QEMU_LIMIT = /Can't migrate the vm that was paused due to previous migration/;

const isLost = (error: unknown, killed: AbortSignal): boolean =>
	killed.aborted && error instanceof VirtError && LOST.has(error.code);

function choose(random: Random, known: Known): Operation {
	const possible = OPERATIONS.filter((operation) => operation.possible(known));
	const total = possible.reduce((sum, { weight }) => sum + weight, 0);
	let left = random.below(total);
	for (const operation of possible) {
		left -= operation.weight;
		if (left < 0) return operation;
	}
	throw new RangeError("no operation is possible");
}

/** How a client works. */
export interface Work {
	readonly random: Random;
	/** Set when the daemon is being killed. */
	readonly killed: AbortSignal;
	acknowledged(): void;
}

/** Works on the domain until the daemon's end. @throws Error when an operation fails for another reason. */
export async function work(uri: string, start: Known, { random, killed, acknowledged }: Work): Promise<Remembered> {
	let known = start;
	let done = 0;
	const connection = await connect(uri).catch((error: unknown) => {
		if (isLost(error, killed)) return undefined;
		throw error;
	});
	await using _ = connection;
	if (connection === undefined) return { known, done };
	for (;;) {
		const operation = choose(random, known);
		const after = operation.after(known);
		try {
			await operation.run(connection, known, after);
		} catch (error) {
			if (QEMU_LIMIT.test((error as Error).message)) continue;
			if (isLost(error, killed)) return { known, pending: { operation, after }, done };
			const was = JSON.stringify(known.facts);
			throw new Error(`'${operation.name}' of ${was} failed: ${(error as Error).message}`, { cause: error });
		}
		known = after;
		done++;
		acknowledged();
	}
}

/** What may be true of the domain after the kill. */
export function acceptable({ known, pending }: Remembered): readonly Known[] {
	if (pending === undefined) return [known];
	const { operation, after } = pending;
	const before = operation.spoils?.(known) ?? known;
	return [before, after, ...(operation.between ? [operation.between(known)] : [])];
}
