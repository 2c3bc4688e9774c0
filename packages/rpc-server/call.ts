// What a handler sees of the call it answers.

import type { Frame } from "@virtkit/protocol/frame";
import type { Client, ClientContext } from "./handler.ts";
import type { ServerStream } from "./stream.ts";

/** One call of a session; made for each, so it is kept small. */
export class Call implements ClientContext {
	readonly client: Client;
	readonly readOnly: boolean;
	readonly serial: number;
	readonly #open: () => ServerStream;
	#stream: ServerStream | undefined;

	constructor(client: Client, frame: Frame, open: () => ServerStream) {
		this.client = client;
		this.readOnly = client.readOnly;
		this.serial = frame.serial;
		this.#open = open;
	}

	get signal(): AbortSignal {
		return this.client.signal;
	}

	openStream(): ServerStream {
		this.#stream ??= this.#open();
		return this.#stream;
	}

	/** The reply is written: the stream may flow. */
	answered(): void {
		this.#stream?.activate();
	}

	/** The call failed: there is no stream. */
	fail(): void {
		this.#stream?.abandon();
	}
}
