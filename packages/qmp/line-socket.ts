// A socket that carries lines: batches writes of one turn, cuts what comes in, passes descriptors, reports its loss once.

import type { Socket } from "node:net";
import { toVirtError, VirtError } from "@virtkit/base/errors";
import { LineDecoder } from "./line-decoder.ts";

/**
 * Sends `data` with descriptors attached (SCM_RIGHTS) on the socket whose descriptor is `socketFd`, and returns how
 * many bytes of it were taken.
 *
 * Node has no call for it: `sendFds` of @virtkit/host/native is one. Throws where the kernel refuses.
 */
export type FdSender = (socketFd: number, data: Uint8Array, fds: readonly number[]) => number;

/** What reading and writing say of a peer that died with bytes of ours unread: no other thing than an end of file. */
const PEER_GONE: ReadonlySet<string | undefined> = new Set(["ECONNRESET", "EPIPE"]);

export interface LineSocketHandlers {
	/** Throws where the line breaks the protocol: the connection is lost then, with what was thrown as the reason. */
	onLine(line: string): void;
	/** Called once; `reason` is undefined where the peer simply closed. */
	onLoss(reason: VirtError | undefined): void;
}

export class LineSocket {
	readonly #socket: Socket;
	readonly #decoder: LineDecoder;
	readonly #handlers: LineSocketHandlers;
	#outgoing = "";
	#lost = false;

	/** Takes over `socket`, which may still be connecting. */
	constructor(socket: Socket, handlers: LineSocketHandlers, maxLineBytes?: number) {
		this.#socket = socket;
		this.#decoder = new LineDecoder(maxLineBytes);
		this.#handlers = handlers;
		socket.on("data", (chunk: Buffer) => this.#receive(chunk));
		socket.on("error", (cause: NodeJS.ErrnoException) =>
			this.#lose(PEER_GONE.has(cause.code) ? undefined : new VirtError("SYSTEM_ERROR", cause.message, { cause })),
		);
		socket.on("close", () => this.#lose(undefined));
	}

	/** Sends `text`, together with everything else written in the same turn. */
	write(text: string): void {
		if (this.#outgoing === "") queueMicrotask(() => this.flush());
		this.#outgoing += text;
	}

	/** Sends bytes that are no text, after everything written so far. */
	writeBytes(bytes: Uint8Array): void {
		this.flush();
		if (!this.#lost) this.#socket.write(bytes);
	}

	/** Hands everything written so far to the kernel. */
	flush(): void {
		const text = this.#outgoing;
		this.#outgoing = "";
		if (text !== "" && !this.#lost) this.#socket.write(text);
	}

	/** Runs `then` once everything written so far is in the kernel. */
	whenWritten(then: () => void): void {
		this.flush();
		this.#socket.write("", () => {
			if (!this.#lost) then();
		});
	}

	/** Sends `text` with `fd` attached; only within `whenWritten`, so that nothing overtakes it. */
	sendWithFd(text: string, fd: number, sendFd: FdSender): void {
		const { _handle: handle } = this.#socket as unknown as { readonly _handle: { readonly fd: number } | null };
		if (handle === null || handle.fd < 0) throw new VirtError("INTERNAL_ERROR", "the monitor's socket is not open");
		const data = Buffer.from(text);
		const taken = sendFd(handle.fd, data, [fd]);
		if (taken < data.length) this.#socket.write(data.subarray(taken));
	}

	/** Ends the connection; `onLoss` is told `reason`. */
	destroy(reason?: VirtError): void {
		this.#lose(reason);
	}

	#receive(chunk: Buffer): void {
		try {
			for (const line of this.#decoder.push(chunk)) {
				if (this.#lost) return;
				this.#handlers.onLine(line);
			}
		} catch (thrown) {
			this.#lose(toVirtError(thrown));
		}
	}

	#lose(reason: VirtError | undefined): void {
		if (this.#lost) return;
		this.#lost = true;
		this.#socket.destroy();
		this.#handlers.onLoss(reason);
	}
}
