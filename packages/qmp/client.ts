// A QMP client: greeting and negotiation, typed commands (many at once, out of band, with a descriptor), events, loss.

import { EventEmitter } from "node:events";
import { connect, type Socket } from "node:net";
import { toVirtError, VirtError } from "@virtkit/base/errors";
import type { OobCommand, QmpCommands, QmpEvents } from "@virtkit/qapi/schema.gen";
import { CommandQueue, type QueuedCommand } from "./command-queue.ts";
import { type FdSender, LineSocket } from "./line-socket.ts";
import {
	formatCommand,
	parseMessage,
	parseObject,
	type QmpEvent,
	type QmpEventOf,
	type QmpFailure,
	type QmpGreeting,
	type QmpReturn,
} from "./messages.ts";
import { type CallOptions, Pending } from "./pending.ts";
import { QmpError } from "./qmp-error.ts";

/** A command waits this long for its answer unless told otherwise, in milliseconds. */
const DEFAULT_DEADLINE_MS = 30_000;

export interface QmpClientOptions {
	/** The guest's name, for messages. */
	readonly label?: string;
	/**
	 * Out-of-band commands: `offered` enables them if the greeting offers them; `always` and `never` know the answer and
	 * so write everything at once, without waiting for the greeting (QEMU offers them on sockets since 4.0).
	 */
	readonly oob?: "offered" | "always" | "never";
	/** Deadline of calls that name none, in milliseconds. */
	readonly deadlineMs?: number;
	/** Needed for commands that pass a descriptor; `sendFds` of @virtkit/host/native. */
	readonly sendFd?: FdSender;
	readonly maxLineBytes?: number;
}

/** How a command is given. */
export interface CommandOptions extends CallOptions {
	/** A descriptor that goes along with it; it stays ours and may be closed once the command is answered. */
	readonly fd?: number | undefined;
}

interface ClientEvents {
	event: [QmpEvent];
	/** The monitor is gone; told once. */
	close: [VirtError];
}

/** Arguments of a command: they may be left out where none of them is required. */
type CommandInput<C extends keyof QmpCommands> =
	Record<never, never> extends QmpCommands[C]["args"]
		? [args?: QmpCommands[C]["args"] | undefined, options?: CommandOptions]
		: [args: QmpCommands[C]["args"], options?: CommandOptions];

export class QmpClient extends EventEmitter<ClientEvents> implements AsyncDisposable {
	/** QEMU's greeting, once commands are accepted; rejects where negotiation fails. Waiting for it is never needed. */
	readonly ready: Promise<QmpGreeting>;
	readonly #greeting: Pending<QmpGreeting>;
	readonly #options: QmpClientOptions;
	readonly #socket: LineSocket;
	readonly #queue: CommandQueue;
	#hello: QmpGreeting | undefined;
	#oob: boolean;
	#loss: VirtError | undefined;

	/** Takes over `socket`, which may still be connecting. Commands can be given at once. */
	constructor(socket: Socket, options: QmpClientOptions = {}) {
		super();
		this.#options = options;
		this.#oob = options.oob === "always";
		const handlers = {
			onLine: (line: string) => this.#receive(line),
			onLoss: (reason?: VirtError) => this.#lose(reason),
		};
		this.#socket = new LineSocket(socket, handlers, options.maxLineBytes);
		this.#queue = new CommandQueue(this.#socket, options.sendFd);
		this.#greeting = new Pending(`${this.#name} did not greet`, { deadlineMs: this.#deadlineMs });
		this.ready = this.#greeting.promise;
		this.ready.catch((reason) => this.#socket.destroy(toVirtError(reason)));
		if (options.oob === "always" || options.oob === "never") this.#negotiate();
	}

	/** Starts connecting to the monitor that listens on the UNIX socket `path`. Failures show in `ready` and in every call. */
	static connect(path: string, options: QmpClientOptions = {}): QmpClient {
		return new QmpClient(connect(path), options);
	}

	/** Whether out-of-band commands can be had; false until the greeting has come, unless `oob: "always"` says it. */
	get oob(): boolean {
		return this.#oob;
	}

	/** Why the monitor is gone; undefined while it is there. */
	get loss(): VirtError | undefined {
		return this.#loss;
	}

	/** Executes a command. Rejects with a QmpError where QEMU refuses it. */
	execute<C extends keyof QmpCommands>(name: C, ...[args, options]: CommandInput<C>): Promise<QmpCommands[C]["ret"]> {
		return this.#call("execute", name, args, options) as Promise<QmpCommands[C]["ret"]>;
	}

	/** Executes a command ahead of all others, also while QEMU is stuck in one. OPERATION_UNSUPPORTED where QEMU offers no such thing. */
	async executeOob<C extends OobCommand>(name: C, ...[args, options]: CommandInput<C>): Promise<QmpCommands[C]["ret"]> {
		if (!this.#oob) await this.ready;
		if (!this.#oob) throw new VirtError("OPERATION_UNSUPPORTED", `${this.#name} takes no out-of-band commands`);
		return this.#call("exec-oob", name, args, options) as Promise<QmpCommands[C]["ret"]>;
	}

	/** Executes a command that carries a descriptor (`getfd`, `add-fd`); `fd` stays ours and may be closed afterwards. */
	sendWithFd<C extends "getfd" | "add-fd">(
		fd: number,
		name: C,
		args: QmpCommands[C]["args"],
		options: CallOptions = {},
	): Promise<QmpCommands[C]["ret"]> {
		if (this.#options.sendFd === undefined)
			return Promise.reject(
				new VirtError("INTERNAL_ERROR", `${this.#name} was opened without a way to pass descriptors`),
			);
		return this.#call("execute", name, args, { ...options, fd }) as Promise<QmpCommands[C]["ret"]>;
	}

	/** Executes a command that is in no schema of ours, typed by the caller. */
	executeUntyped(name: string, args?: object, options?: CallOptions): Promise<unknown> {
		return this.#call("execute", name, args, options);
	}

	/**
	 * Executes a command given as JSON text and returns QEMU's answer as it came, an error answer included.
	 *
	 * What the text calls `id` is replaced. Throws INVALID_ARG on text that is no JSON object.
	 */
	async executeText(text: string, options: CommandOptions = {}): Promise<string> {
		let command: Readonly<Record<string, unknown>>;
		try {
			command = parseObject(text);
		} catch (cause) {
			throw new VirtError("INVALID_ARG", `cannot parse QMP command: ${text}`, { cause });
		}
		const id = this.#queue.nextId();
		const name = String(command["execute"] ?? command["exec-oob"]);
		const oob = this.#oob && "exec-oob" in command;
		const line = `${JSON.stringify({ ...command, id })}\r\n`;
		const answer = await this.#send({ id, name, oob, line, fd: options.fd }, options);
		return answer.line;
	}

	/** Calls `listener` on every event of that name, until the returned function is called. */
	onEvent<N extends keyof QmpEvents>(name: N, listener: (event: QmpEventOf<N>) => void): () => void {
		const filter = (event: QmpEvent) => {
			if (event.event === name) listener(event as QmpEventOf<N>);
		};
		this.on("event", filter);
		return () => this.off("event", filter);
	}

	/** The next event of that name that `matches`; rejects with the deadline, the signal or the loss of the monitor. */
	async waitForEvent<N extends keyof QmpEvents>(
		name: N,
		matches: (event: QmpEventOf<N>) => boolean = () => true,
		options: CallOptions = {},
	): Promise<QmpEventOf<N>> {
		const pending = new Pending<QmpEventOf<N>>(`${this.#name} sent no ${name} event`, options);
		const lost = (reason: VirtError) => pending.reject(reason);
		const unlisten = this.onEvent(name, (event) => {
			if (matches(event)) pending.resolve(event);
		});
		this.once("close", lost);
		if (this.#loss) pending.reject(this.#loss);
		try {
			return await pending.promise;
		} finally {
			unlisten();
			this.off("close", lost);
		}
	}

	/** All events from now on, until the monitor is gone or the signal aborts. */
	async *events(signal?: AbortSignal): AsyncGenerator<QmpEvent> {
		if (this.#loss) return;
		const stream = EventEmitter.on(this, "event", { close: ["close"], ...(signal && { signal }) });
		for await (const [event] of stream) yield event as QmpEvent;
	}

	/** Closes the connection; QEMU goes on. Calls under way are rejected. */
	close(): void {
		this.#socket.destroy(new VirtError("OPERATION_ABORTED", `${this.#name} was closed`));
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.close();
	}

	get #name(): string {
		return this.#options.label === undefined ? "monitor" : `monitor of '${this.#options.label}'`;
	}

	get #deadlineMs(): number {
		return this.#options.deadlineMs ?? DEFAULT_DEADLINE_MS;
	}

	async #call(
		verb: "execute" | "exec-oob",
		name: string,
		args?: object,
		options: CommandOptions = {},
	): Promise<unknown> {
		const id = this.#queue.nextId();
		const line = formatCommand(verb, name, args, id);
		const command = { id, name, line, oob: verb === "exec-oob", fd: options.fd };
		const answer = await this.#send(command, options);
		if (answer.kind === "return") return answer.value;
		throw new QmpError("INTERNAL_ERROR", "unable to execute QEMU command", name, answer);
	}

	#send(
		command: QueuedCommand,
		{ deadlineMs = this.#deadlineMs, signal }: CallOptions,
	): Promise<QmpReturn | QmpFailure> {
		if (this.#loss) return Promise.reject(this.#loss);
		const pending = new Pending<QmpReturn | QmpFailure>(`${this.#name} did not answer '${command.name}'`, {
			deadlineMs,
			signal,
		});
		if (!pending.settled) this.#queue.add(command, pending);
		return pending.promise;
	}

	/** Enters command mode, ahead of whatever is queued, in the same write. */
	#negotiate(): void {
		const enable = this.#oob ? { enable: ["oob"] } : undefined;
		const pending = new Pending<QmpReturn | QmpFailure>(`${this.#name} did not negotiate`, {
			deadlineMs: this.#deadlineMs,
		});
		const id = this.#queue.nextId();
		this.#queue.open(
			{ id, name: "qmp_capabilities", line: formatCommand("execute", "qmp_capabilities", enable, id) },
			pending,
			this.#oob,
		);
		pending.promise.then(
			(answer) => this.#negotiated(answer),
			(reason) => this.#greeting.reject(reason),
		);
	}

	#negotiated(answer: QmpReturn | QmpFailure): void {
		if (answer.kind === "error")
			this.#greeting.reject(
				new QmpError("INTERNAL_ERROR", "unable to execute QEMU command", "qmp_capabilities", answer),
			);
		else if (this.#hello) this.#greeting.resolve(this.#hello);
		else
			this.#greeting.reject(
				new VirtError("INTERNAL_ERROR", `${this.#name} answered without a greeting: it is no QMP monitor`),
			);
	}

	#receive(line: string): void {
		const message = parseMessage(line);
		switch (message.kind) {
			case "greeting":
				return this.#greeted(message);
			case "event":
				return this.#tell(message);
			default:
				if (message.id === undefined && message.kind === "error")
					throw new VirtError("INTERNAL_ERROR", `${this.#name} refused what was sent: ${message.desc}`);
				this.#queue.answer(message);
		}
	}

	#greeted(greeting: QmpGreeting): void {
		this.#hello = greeting;
		if (this.#queue.opened) return;
		this.#oob = greeting.capabilities.includes("oob") && this.#options.oob !== "never";
		this.#negotiate();
	}

	/** A listener that throws must not cost the messages that follow in the same read. */
	#tell(event: QmpEvent): void {
		try {
			this.emit("event", event);
		} catch (thrown) {
			process.nextTick(() => {
				throw thrown;
			});
		}
	}

	#lose(reason: VirtError | undefined): void {
		const vm = this.#options.label === undefined ? "" : ` (vm='${this.#options.label}')`;
		this.#loss = reason ?? new VirtError("INTERNAL_ERROR", `End of file from qemu monitor${vm}`);
		this.#greeting.reject(this.#loss);
		this.#queue.fail(this.#loss);
		this.emit("close", this.#loss);
	}
}
