// One client at a time per character device: who has it open, and how somebody else takes it over.

import { once } from "node:events";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { VirtError } from "@virtkit/base/errors";
import { systemError } from "@virtkit/host/system-error";
import type { Run } from "../domain/run.ts";
import { openTerminal } from "./terminal.ts";

/** Streams that clients have open, by the device's path. */
const OPEN = new WeakMap<Run, Map<string, Duplex>>();

function openStreamsOf(run: Run): Map<string, Duplex> {
	let streams = OPEN.get(run);
	if (streams === undefined) {
		streams = new Map();
		OPEN.set(run, streams);
		const opened = streams;
		run.resources.defer("streams of consoles", () => {
			for (const stream of opened.values()) stream.destroy();
		});
	}
	return streams;
}

export interface OpenOptions {
	readonly path: string;
	readonly kind: "pty" | "unix";
	/** Takes the device away from who has it. */
	readonly force: boolean;
	/** What is said to the second client. */
	readonly busy: string;
}

/** Opens the device for one client. Throws OPERATION_FAILED where another has it. */
export async function openExclusively(run: Run, { path, kind, force, busy }: OpenOptions): Promise<Duplex> {
	const streams = openStreamsOf(run);
	const other = streams.get(path);
	if (other && !force) throw new VirtError("OPERATION_FAILED", busy);
	if (other) {
		streams.delete(path);
		other.destroy(new VirtError("RPC", "stream had unexpected termination", { domain: "STREAMS" }));
		if (!other.closed) await once(other, "close").catch(() => undefined);
	}
	const stream = kind === "pty" ? openTerminal(path) : connect(path);
	streams.set(path, stream);
	// Whoever reads it hears of errors too; before that, one must not end the daemon.
	stream.on("error", () => undefined);
	stream.once("close", () => {
		if (streams.get(path) === stream) streams.delete(path);
	});
	if (kind === "unix") await connected(stream, path);
	return stream;
}

async function connected(stream: Duplex, path: string): Promise<void> {
	try {
		await once(stream, "connect");
	} catch (error) {
		throw systemError(`Unable to open stream for '${path}'`, error);
	}
}
