// What a handler sees of the call it answers.

import { VirtError } from "@virtkit/base/errors";
import { closeDescriptor } from "@virtkit/host/native";
import type { Frame } from "@virtkit/protocol/frame";
import type { Client, ClientContext } from "./handler.ts";
import type { ServerStream } from "./stream.ts";

const NONE: readonly number[] = [];

/** One call of a session; made for each, so it is kept small. */
export class Call implements ClientContext {
	readonly client: Client;
	readonly readOnly: boolean;
	readonly serial: number;
	readonly descriptors: readonly number[];
	/** What goes out with the reply. */
	outgoing: readonly number[] = NONE;
	readonly #open: () => ServerStream;
	#stream: ServerStream | undefined;

	constructor(client: Client, frame: Frame, open: () => ServerStream, descriptors: readonly number[] = NONE) {
		this.client = client;
		this.readOnly = client.readOnly;
		this.serial = frame.serial;
		this.descriptors = descriptors;
		this.#open = open;
	}

	get signal(): AbortSignal {
		return this.client.signal;
	}

	openStream(): ServerStream {
		this.#stream ??= this.#open();
		return this.#stream;
	}

	descriptorAt(slot: number): number {
		const fd = this.descriptors[slot];
		if (fd === undefined) throw new VirtError("INTERNAL_ERROR", `No FD available at slot ${slot}`, { domain: "RPC" });
		return fd;
	}

	sendDescriptors(fds: readonly number[]): void {
		this.outgoing = fds;
		if (this.client.passesDescriptors) return;
		throw new VirtError("INTERNAL_ERROR", "Sending file descriptors is not supported on this socket", {
			domain: "RPC",
		});
	}

	/** The handler is done: whatever it did not make copies of is closed. */
	release(): void {
		this.descriptors.forEach(closeDescriptor);
	}

	/** The reply is written: the stream may flow. */
	answered(): void {
		this.#stream?.activate();
	}

	/** The call failed: there is no stream. */
	fail(): void {
		this.#stream?.abandon();
		this.outgoing.forEach(closeDescriptor);
		this.outgoing = NONE;
	}
}
