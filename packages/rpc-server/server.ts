// A server of libvirt's RPC: takes connected sockets, keeps their sessions, and ends them in order.

import type { Duplex } from "node:stream";
import { withBuiltIns } from "./built-in.ts";
import { buildDispatchTable } from "./dispatch-table.ts";
import type { Client, ClientIdentity, ProgramHandlers } from "./handler.ts";
import { DEFAULT_LIMITS, type Guard, type Limits, type Logger, SILENT } from "./options.ts";
import { Session, type SessionHost } from "./session.ts";

export interface RpcServerOptions {
	/** The programs offered, with their handlers; the remote program's authentication is added. */
	readonly handlers: ProgramHandlers;
	/** Limits that differ from libvirtd's defaults. */
	readonly limits?: Partial<Limits>;
	readonly logger?: Logger;
	/** Asked before each handler; throws to refuse the call. */
	readonly guard?: Guard;
	/** Told of each client that connects, before anything of it is read. */
	readonly onConnect?: (client: Client) => void;
}

/** How a connected socket is to be treated. */
export interface AcceptOptions {
	readonly identity: ClientIdentity;
	readonly readOnly?: boolean;
}

/** See the opening sentence. Sockets come from listeners (listen.ts) or wherever else. */
export class RpcServer {
	readonly #host: SessionHost;
	readonly #onConnect: ((client: Client) => void) | undefined;
	readonly #sessions = new Set<Session>();
	#nextId = 1;
	#closing = false;

	constructor(options: RpcServerOptions) {
		const handlers = { ...options.handlers, remote: withBuiltIns(options.handlers.remote ?? {}) };
		this.#host = {
			programs: buildDispatchTable(handlers),
			limits: { ...DEFAULT_LIMITS, ...options.limits },
			logger: options.logger ?? SILENT,
			guard: options.guard,
		};
		this.#onConnect = options.onConnect;
	}

	/** The clients connected now. */
	get clients(): ReadonlySet<Client> {
		return this.#sessions;
	}

	/** How often each procedure that was called at all was answered, and how often with an error. */
	callCounts(): { program: string; procedure: string; calls: number; errors: number }[] {
		return [...this.#host.programs.values()]
			.flatMap(({ entries }) => entries.filter((entry) => entry !== undefined))
			.filter(({ count }) => count.calls > 0)
			.map((entry) => ({ program: entry.program, procedure: entry.name, ...entry.count }));
	}

	/** Serves a connected socket. It is closed at once when there are too many, or the server is closing. */
	accept(socket: Duplex, options: AcceptOptions): void {
		if (this.#closing || this.#sessions.size >= this.#host.limits.maxClients) {
			this.#host.logger.warn({ clients: this.#sessions.size }, "refusing a client: too many, or closing");
			socket.on("error", () => undefined);
			socket.destroy();
			return;
		}
		const session = new Session(this.#host, this.#nextId++, socket, options.identity, options.readOnly ?? false);
		this.#sessions.add(session);
		void session.closed.then(() => this.#sessions.delete(session));
		this.#onConnect?.(session);
	}

	/**
	 * Takes no more calls, lets those under way be answered for `grace` milliseconds, then disconnects everyone.
	 * Settles when all clients are gone and cleaned up after.
	 */
	async close(grace: number = 5000): Promise<void> {
		this.#closing = true;
		const sessions = [...this.#sessions];
		const timer = setTimeout(() => {
			for (const session of sessions) session.destroy();
		}, grace);
		await Promise.all(sessions.map((session) => session.drain()));
		clearTimeout(timer);
	}
}
