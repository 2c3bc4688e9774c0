// The commands of one monitor: those not written yet, and those whose answer has not come.

import type { VirtError } from "@virtkit/base/errors";
import { toVirtError } from "@virtkit/base/errors";
import type { FdSender, LineSocket } from "./line-socket.ts";
import type { QmpFailure, QmpReturn } from "./messages.ts";
import type { Pending } from "./pending.ts";

/**
 * With out-of-band commands, QEMU reads at most this many ordinary ones ahead and then nothing more: were more of them
 * written, an out-of-band command would be stuck behind them (QEMU: docs/interop/qmp-spec.txt, "out-of-band").
 */
const MAX_IN_FLIGHT_WITH_OOB = 7;

export interface QueuedCommand {
	readonly id: string;
	readonly name: string;
	readonly line: string;
	readonly oob?: boolean;
	/** Descriptor to attach. */
	readonly fd?: number | undefined;
}

type Answer = Pending<QmpReturn | QmpFailure>;

interface Entry {
	readonly command: QueuedCommand;
	readonly pending: Answer;
}

export class CommandQueue {
	readonly #socket: LineSocket;
	readonly #sendFd: FdSender | undefined;
	readonly #inFlight = new Map<string, Entry>();
	#waiting: Entry[] = [];
	#limit = Number.POSITIVE_INFINITY;
	#opened = false;
	/** A command with a descriptor waits until all before it is in the kernel; those after it wait with it. */
	#blocked = false;
	/** The command whose descriptor QEMU has not taken yet: the next one to arrive would replace it. */
	#fdInFlight: string | undefined;
	#count = 0;
	#ordinaryInFlight = 0;

	constructor(socket: LineSocket, sendFd: FdSender | undefined) {
		this.#socket = socket;
		this.#sendFd = sendFd;
	}

	/** Whether commands are being written: before, they gather. */
	get opened(): boolean {
		return this.#opened;
	}

	nextId(): string {
		return `virtkit-${++this.#count}`;
	}

	/** Writes `first`, and from now on everything that is added. */
	open(first: QueuedCommand, pending: Answer, oob: boolean): void {
		this.#opened = true;
		if (oob) this.#limit = MAX_IN_FLIGHT_WITH_OOB;
		this.#waiting.unshift({ command: first, pending });
		this.#pump();
	}

	add(command: QueuedCommand, pending: Answer): void {
		if (command.oob && this.#opened) return this.#write({ command, pending });
		this.#waiting.push({ command, pending });
		this.#pump();
	}

	/** Hands an answer to whoever waits for it; answers that nobody waits for any more are dropped. */
	answer(message: QmpReturn | QmpFailure): void {
		const entry = this.#inFlight.get(message.id ?? "");
		if (entry === undefined) return;
		this.#inFlight.delete(entry.command.id);
		if (!entry.command.oob) this.#ordinaryInFlight--;
		if (this.#fdInFlight === entry.command.id) this.#fdInFlight = undefined;
		entry.pending.resolve(message);
		this.#pump();
	}

	fail(reason: VirtError): void {
		for (const { pending } of [...this.#inFlight.values(), ...this.#waiting]) pending.reject(reason);
		this.#inFlight.clear();
		this.#waiting = [];
	}

	#pump(): void {
		while (this.#opened && !this.#blocked && this.#ordinaryInFlight < this.#limit) {
			const [entry] = this.#waiting;
			if (entry === undefined || (entry.command.fd !== undefined && this.#fdInFlight !== undefined)) return;
			this.#waiting.shift();
			if (!entry.pending.settled) this.#write(entry);
		}
	}

	#write(entry: Entry): void {
		this.#inFlight.set(entry.command.id, entry);
		if (!entry.command.oob) this.#ordinaryInFlight++;
		const { line, fd } = entry.command;
		if (fd === undefined || this.#sendFd === undefined) return this.#socket.write(line);
		const sendFd = this.#sendFd;
		this.#blocked = true;
		this.#fdInFlight = entry.command.id;
		this.#socket.whenWritten(() => {
			this.#writeWithFd(entry, () => this.#socket.sendWithFd(line, fd, sendFd));
			this.#blocked = false;
			this.#pump();
		});
	}

	/** Sends, unless the caller has given up meanwhile (the descriptor may be closed by now) or the kernel refuses. */
	#writeWithFd({ command, pending }: Entry, send: () => void): void {
		try {
			if (!pending.settled) return send();
		} catch (thrown) {
			pending.reject(toVirtError(thrown));
		}
		this.#inFlight.delete(command.id);
		this.#ordinaryInFlight--;
		this.#fdInFlight = undefined;
	}
}
