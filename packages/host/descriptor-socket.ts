// UNIX sockets that carry descriptors: Node reads no further than told, so that a descriptor behind a message stays in the kernel for us.

import { connect, type OnReadOpts, Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/**
 * Where all these sockets are read into. What is read is copied out at once, so one is enough; it saves each read the
 * allocation of 64 KiB that Node makes for sockets otherwise.
 */
const SCRATCH = Buffer.allocUnsafeSlow(64 * 1024);

/** How long to wait before looking again whether the peer has sent, or taken, a descriptor: at first and at most, in milliseconds. */
const FIRST_WAIT = 1;
const LONGEST_WAIT = 64;

/** `receiveFd` and `sendFds` of native.ts, loaded by those who pass descriptors: most clients never do. */
const native = () => import("./native.ts");

const PORTS = new WeakMap<object, DescriptorPort>();

/** What passes descriptors over `socket`; undefined where none can be. */
export function descriptorPortOf(socket: object): DescriptorPort | undefined {
	return PORTS.get(socket);
}

/** Connects to a UNIX socket over which descriptors can be passed. */
export function connectDescriptorSocket(path: string): Socket {
	const port = new DescriptorPort();
	return port.attach(connect({ path, onread: port.onread }));
}

/** A Node socket of the connected UNIX socket `fd`, which becomes its own. */
export function descriptorSocketOf(fd: number): Socket {
	const port = new DescriptorPort();
	return port.attach(new Socket({ fd, onread: port.onread }));
}

/**
 * Passes descriptors over one socket as libvirt does: behind a message that announces them, each with a byte of its own.
 *
 * What is read comes as the socket's `data` events, as from any other.
 */
export class DescriptorPort {
	readonly onread: OnReadOpts = {
		buffer: () => this.#room(),
		callback: (length, buffer) => {
			this.#socket?.emit("data", Buffer.from(buffer.subarray(0, length)));
			return true;
		},
	};
	#socket: Socket | undefined;
	#wanted: (() => number) | undefined;
	/** Settles when the last descriptors given to `send` are sent. */
	#last: Promise<unknown> | undefined;

	/** Says whose port it is; once. */
	attach(socket: Socket): Socket {
		this.#socket = socket;
		PORTS.set(socket, this);
		return socket;
	}

	/** Whether reads are limited, as they must be before the peer may send descriptors. */
	get limited(): boolean {
		return this.#wanted !== undefined;
	}

	/** From the next `data` event on, nothing is read beyond as many bytes as `wanted` says then. */
	limitReads(wanted: () => number): void {
		this.#wanted = wanted;
	}

	#room(): Buffer {
		return this.#wanted === undefined ? SCRATCH : SCRATCH.subarray(0, Math.min(this.#wanted(), SCRATCH.length));
	}

	/**
	 * Takes `count` descriptors off the socket, which must be paused meanwhile. They are the caller's to close.
	 *
	 * Throws where something else comes or the peer goes; nothing stays open then.
	 */
	async receive(count: number): Promise<number[]> {
		const { receiveFd, closeDescriptor, socketDescriptor } = await native();
		const received: number[] = [];
		try {
			while (received.length < count) {
				received.push(await this.#retry(() => receiveFd(socketDescriptor(this.#connected))));
			}
			return received;
		} catch (error) {
			for (const fd of received) closeDescriptor(fd);
			throw error;
		}
	}

	/** Whether descriptors are on their way: nothing must be written to the socket meanwhile. */
	get sending(): boolean {
		return this.#last !== undefined;
	}

	/**
	 * Writes `bytes`, then sends `fds` and closes them, after whatever was given here before. `done` hears when both are in
	 * the kernel, or why they are not.
	 */
	send(bytes: Buffer, fds: readonly number[], done: (failure?: unknown) => void): void {
		const sending = this.#sendAfter(this.#last, bytes, fds);
		this.#last = sending;
		void sending.then((failure) => {
			if (this.#last === sending) this.#last = undefined;
			done(failure);
		});
	}

	async #sendAfter(before: Promise<unknown> | undefined, bytes: Buffer, fds: readonly number[]): Promise<unknown> {
		const { sendFds, socketDescriptor, closeDescriptor } = await native();
		try {
			await before;
			await this.#write(bytes);
			for (const fd of fds) {
				await this.#retry(() => unlessFull(() => sendFds(socketDescriptor(this.#connected), new Uint8Array(1), [fd])));
			}
			return undefined;
		} catch (error) {
			return error;
		} finally {
			fds.forEach(closeDescriptor);
		}
	}

	get #connected(): Socket {
		if (this.#socket === undefined) throw new TypeError("the port has no socket");
		return this.#socket;
	}

	#write(bytes: Buffer): Promise<void> {
		const { promise, resolve, reject } = Promise.withResolvers<void>();
		this.#connected.write(bytes, (error) => (error ? reject(error) : resolve()));
		return promise;
	}

	/** Tries until there is a result: Node cannot wait for a socket without reading it. The peer is nearly always as far. */
	async #retry<T>(attempt: () => T | undefined): Promise<T> {
		for (let wait = FIRST_WAIT; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
			const result = attempt();
			if (result !== undefined) return result;
			await delay(wait);
		}
	}
}

/** Undefined where the kernel takes no more for the moment. */
function unlessFull<T>(send: () => T): T | undefined {
	try {
		return send();
	} catch (error) {
		if (error instanceof Error && "int1" in error && error.int1 === EAGAIN) return undefined;
		throw error;
	}
}

const EAGAIN = 11;
