// A client of the agent inside a guest: one command at a time, synchronised first, over a channel that either side may lose.

import { connect } from "node:net";
import { toVirtError, VirtError } from "@virtkit/base/errors";
import type { AgentCommands } from "./agent-commands.ts";
import { LineSocket } from "./line-socket.ts";
import { formatCommand, parseMessage, parseObject, type QmpFailure, type QmpReturn } from "./messages.ts";
import { type CallOptions, Pending } from "./pending.ts";
import { QmpError } from "./qmp-error.ts";

/** A guest that does not even synchronise within this time has no agent running; libvirt waits as long. */
const SYNC_DEADLINE_MS = 5_000;
/** For a command's own work, in milliseconds, unless told otherwise. */
const DEFAULT_DEADLINE_MS = 60_000;
/** No byte of UTF-8: makes either side drop what it has read so far (QEMU: guest-sync-delimited). */
const FLUSH = Uint8Array.of(0xff);
const LOST = "guest agent disappeared while executing command";
/** How that byte reads in text, ahead of the answer. */
const DELIMITED_ANSWER = "\u{fffd}{";

export interface GuestAgentOptions {
	/** Deadline of calls that name none, in milliseconds. */
	readonly deadlineMs?: number;
	readonly syncDeadlineMs?: number;
	readonly maxLineBytes?: number;
}

export interface AgentCallOptions extends CallOptions {
	/** For commands that answer only when they fail (`guest-shutdown`): what else says that they worked. */
	readonly until?: Promise<unknown>;
}

type Answer = QmpReturn | QmpFailure;
type AgentInput<C extends keyof AgentCommands> =
	Record<never, never> extends AgentCommands[C]["args"]
		? [args?: AgentCommands[C]["args"] | undefined, options?: AgentCallOptions]
		: [args: AgentCommands[C]["args"], options?: AgentCallOptions];

export class GuestAgent implements AsyncDisposable {
	readonly #path: string;
	#options: GuestAgentOptions;
	#socket: LineSocket | undefined;
	/** Whether the next answer belongs to the next command; not so after a connect, a deadline or an abort. */
	#synchronised = false;
	#syncId = Math.floor(Math.random() * 1_000_000) * 1_000;
	/** Whoever waits for the next line. */
	#waiting: { take(line: string): void; fail(reason: VirtError): void } | undefined;
	#last: Promise<unknown> = Promise.resolve();
	#closed: VirtError | undefined;

	/** The agent whose channel is the UNIX socket `path`. Nothing is connected before the first command. */
	constructor(path: string, options: GuestAgentOptions = {}) {
		this.#path = path;
		this.#options = options;
	}

	/**
	 * Executes a command. Rejects with AGENT_UNRESPONSIVE where the agent does not answer or is lost (the next command
	 * tries again), with a QmpError where it refuses.
	 */
	execute<C extends keyof AgentCommands>(name: C, ...[args, options]: AgentInput<C>): Promise<AgentCommands[C]["ret"]> {
		return this.executeUntyped(name, args, options) as Promise<AgentCommands[C]["ret"]>;
	}

	/** Executes a command that is not in AgentCommands. */
	async executeUntyped(name: string, args?: object, options: AgentCallOptions = {}): Promise<unknown> {
		const answer = await this.#inTurn(name, formatCommand("execute", name, args), options);
		if (answer === undefined) return {};
		if (answer.kind === "return") return answer.value;
		throw new QmpError("INTERNAL_ERROR", "unable to execute QEMU agent command", name, answer);
	}

	/** Executes a command given as JSON text and returns the answer as it came. Refusals reject, as with `execute`. */
	async executeText(text: string, options: AgentCallOptions = {}): Promise<string> {
		let name: string;
		try {
			name = String(parseObject(text)["execute"]);
		} catch (cause) {
			throw new VirtError("INVALID_ARG", `cannot parse guest agent command: ${text}`, { cause });
		}
		const answer = await this.#inTurn(name, `${text.replaceAll(/[\r\n]+/g, " ")}\n`, options);
		if (answer?.kind === "error")
			throw new QmpError("INTERNAL_ERROR", "unable to execute QEMU agent command", name, answer);
		return answer?.line ?? '{"return":{}}';
	}

	/** Has calls from now on wait so long, in milliseconds. */
	setDeadlines(deadlines: Pick<GuestAgentOptions, "deadlineMs" | "syncDeadlineMs">): void {
		this.#options = { ...this.#options, ...deadlines };
	}

	/** Drops the connection; the next command makes a new one. */
	disconnect(): void {
		this.#socket?.destroy();
	}

	/** Drops the connection for good. */
	async [Symbol.asyncDispose](): Promise<void> {
		this.#closed = new VirtError("AGENT_UNRESPONSIVE", "the connection to the guest agent was closed");
		this.#socket?.destroy(this.#closed);
	}

	/** Runs a command once all before it are done: the agent knows no ids, so answers are told apart by their order. */
	#inTurn(name: string, line: string, options: AgentCallOptions): Promise<Answer | undefined> {
		const run = this.#last.then(() => this.#run(name, line, options));
		this.#last = run.catch(() => undefined);
		return run;
	}

	async #run(name: string, line: string, options: AgentCallOptions): Promise<Answer | undefined> {
		if (this.#closed) throw this.#closed;
		if (options.signal?.aborted)
			throw new VirtError("OPERATION_ABORTED", `guest agent was not sent '${name}'`, { cause: options.signal.reason });
		const socket = (this.#socket ??= this.#connect());
		if (!this.#synchronised) await this.#synchronise(socket, options.signal);
		if (this.#socket !== socket) throw new VirtError("AGENT_UNRESPONSIVE", LOST);
		socket.write(line);
		return await this.#answer(name, options);
	}

	async #synchronise(socket: LineSocket, signal: AbortSignal | undefined): Promise<void> {
		const id = ++this.#syncId;
		socket.writeBytes(FLUSH);
		socket.write(formatCommand("execute", "guest-sync-delimited", { id }));
		const deadlineMs = this.#options.syncDeadlineMs ?? SYNC_DEADLINE_MS;
		await this.#wait<true>(
			"guest agent is not available for now: it did not synchronise",
			{ deadlineMs, signal },
			(line) => {
				const start = line.lastIndexOf(DELIMITED_ANSWER);
				if (start < 0) return undefined;
				const answer = parseMessage(line.slice(start + 1));
				// The answer to an earlier attempt, which the agent only now got to.
				return answer.kind === "return" && answer.value === id ? true : undefined;
			},
		);
		this.#synchronised = true;
	}

	#answer(
		name: string,
		{ deadlineMs = this.#options.deadlineMs ?? DEFAULT_DEADLINE_MS, signal, until }: AgentCallOptions,
	) {
		const isAnswer = (line: string): Answer | undefined => {
			const message = parseMessage(line);
			return message.kind === "return" || message.kind === "error" ? message : undefined;
		};
		const what = `guest agent did not answer '${name}'`;
		return this.#wait<Answer | undefined>(what, { deadlineMs, signal }, isAnswer, until);
	}

	/** Waits for a line that `accept` makes something of, or for `until`. Anything but a line costs the synchronisation. */
	async #wait<T>(
		what: string,
		options: CallOptions,
		accept: (line: string) => T | undefined,
		until?: Promise<unknown>,
	): Promise<T> {
		const pending = new Pending<T>(what, options);
		let answered = false;
		this.#waiting = {
			take(line) {
				const value = accept(line);
				if (value === undefined) return;
				answered = true;
				pending.resolve(value);
			},
			fail: (reason) => pending.reject(reason),
		};
		until?.then(
			() => pending.resolve(undefined as T),
			(thrown) => pending.reject(toVirtError(thrown)),
		);
		try {
			return await pending.promise;
		} catch (thrown) {
			throw unresponsive(thrown);
		} finally {
			if (!answered) this.#synchronised = false;
			this.#waiting = undefined;
		}
	}

	#connect(): LineSocket {
		const handlers = {
			onLine: (line: string) => this.#waiting?.take(line),
			onLoss: (reason?: VirtError) => this.#lose(reason),
		};
		return new LineSocket(connect(this.#path), handlers, this.#options.maxLineBytes);
	}

	#lose(reason: VirtError | undefined): void {
		this.#socket = undefined;
		this.#synchronised = false;
		const detail = reason === undefined ? LOST : `guest agent was lost: ${reason.message}`;
		this.#waiting?.fail(this.#closed ?? new VirtError("AGENT_UNRESPONSIVE", detail, { cause: reason }));
	}
}

/** A missed deadline is an agent that does not respond; everything else stays what it is. */
function unresponsive(thrown: unknown): VirtError {
	const error = toVirtError(thrown);
	if (error.code !== "OPERATION_TIMEOUT") return error;
	return new VirtError("AGENT_UNRESPONSIVE", error.detail, { cause: error });
}
