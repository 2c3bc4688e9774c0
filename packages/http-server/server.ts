// The HTTP front-end: takes connected sockets, answers what it has pages for, and ends in order.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isIP, type Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import type { CallContext } from "@virtkit/core/domain-operations";
import { EXPOSITION_TYPE } from "./exposition.ts";
import { type MetricsSources, metricsPage } from "./metrics.ts";

/** Limits of the server. */
export interface HttpLimits {
	/** Connections at once; a further one is closed at once. */
	readonly maxConnections: number;
	/** Pages being made at once; a further request is told to come again. */
	readonly maxPages: number;
	/** How long a connection may take to ask, from its beginning or its last answer, in milliseconds. */
	readonly askWithin: number;
	/** How long a page may take to be read, in milliseconds. */
	readonly readWithin: number;
}

const DEFAULT_LIMITS: HttpLimits = { maxConnections: 64, maxPages: 4, askWithin: 30_000, readWithin: 60_000 };
const MAX_HEADER_BYTES = 8192;

/** Where it logs. */
export interface HttpLogger {
	debug(facts: object, message: string): void;
	warn(facts: object, message: string): void;
}

export interface HttpServerOptions {
	readonly metrics: MetricsSources;
	readonly logger: HttpLogger;
	readonly limits?: Partial<HttpLimits>;
}

interface Page {
	readonly type: string;
	readonly make: (context: CallContext) => AsyncIterable<string>;
}

/** See the opening sentence. Sockets come from whoever listens; whoever may connect may read. */
export class HttpServer {
	readonly #server: Server;
	readonly #limits: HttpLimits;
	readonly #logger: HttpLogger;
	readonly #pages: ReadonlyMap<string, Page>;
	readonly #sockets = new Map<Socket, NodeJS.Timeout | undefined>();
	#making = 0;
	#closing = false;
	#idle: (() => void) | undefined;

	constructor({ metrics, logger, limits }: HttpServerOptions) {
		this.#limits = { ...DEFAULT_LIMITS, ...limits };
		this.#logger = logger;
		this.#pages = new Map<string, Page>([
			["/metrics", { type: EXPOSITION_TYPE, make: (context) => metricsPage(metrics, context) }],
			["/", { type: "text/plain; charset=utf-8", make: index }],
		]);
		this.#server = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (request, response) => {
			void this.#answer(request, response);
		});
		// Headers that do not parse, or are too long: Node's own answer is right, the connection's end is what counts.
		this.#server.on("clientError", (_error, socket) => {
			if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
			else socket.destroy();
		});
	}

	/** Serves a connected socket. It is closed at once when there are too many, or the server is closing. */
	accept(socket: Socket): void {
		if (this.#closing || this.#sockets.size >= this.#limits.maxConnections) {
			this.#logger.warn({ connections: this.#sockets.size }, "refusing an HTTP client: too many, or closing");
			socket.on("error", () => undefined);
			socket.destroy();
			return;
		}
		this.#expect(socket);
		socket.once("close", () => {
			clearTimeout(this.#sockets.get(socket));
			this.#sockets.delete(socket);
			this.#settle();
		});
		this.#server.emit("connection", socket);
	}

	/** The socket must ask for something before long. */
	#expect(socket: Socket): void {
		clearTimeout(this.#sockets.get(socket));
		this.#sockets.set(
			socket,
			setTimeout(() => socket.destroy(), this.#limits.askWithin),
		);
	}

	/** The socket must have read its answer before long. */
	#serving(socket: Socket): void {
		clearTimeout(this.#sockets.get(socket));
		this.#sockets.set(
			socket,
			setTimeout(() => socket.destroy(), this.#limits.readWithin),
		);
	}

	async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const { socket } = request;
		this.#serving(socket);
		response.once("close", () => {
			if (socket.destroyed) return;
			if (this.#closing) socket.end();
			else this.#expect(socket);
		});
		request.on("error", () => undefined).resume();
		const refusal = this.#refusal(request);
		if (refusal) return refuse(response, ...refusal);
		const page = this.#pages.get(pathOf(request)) as Page;
		response.setHeader("Content-Type", page.type);
		response.setHeader("Cache-Control", "no-store");
		if (request.method === "HEAD") return void response.end();
		this.#making++;
		try {
			await this.#send(page, response);
		} catch (error) {
			// The client left, or was too slow; what it has of the page ends without the last chunk, so it knows.
			this.#logger.debug({ error }, "an HTTP answer was not read to its end");
			response.destroy();
		} finally {
			this.#making--;
		}
	}

	async #send(page: Page, response: ServerResponse): Promise<void> {
		const gone = new AbortController();
		response.once("close", () => gone.abort());
		const context: CallContext = {
			signal: gone.signal,
			readOnly: true,
			caller: "http",
			onClose: () => ({ [Symbol.dispose]: () => undefined }),
		};
		await pipeline(page.make(context), response);
	}

	/** Why a request is not answered with a page, with the status. */
	#refusal(request: IncomingMessage): [status: number, why: string] | undefined {
		if (request.method !== "GET" && request.method !== "HEAD") return [405, `no ${request.method} here`];
		if (!isOwnHost(request)) return [421, "this server is asked by an address of this machine's own only"];
		if (!this.#pages.has(pathOf(request))) return [404, "no such page; there is /metrics"];
		if (this.#closing) return [503, "the daemon is ending"];
		if (this.#making >= this.#limits.maxPages) return [503, "too many pages are being made"];
		return undefined;
	}

	/** Takes no more requests, lets answers under way be read for `grace` milliseconds, then disconnects everyone. */
	async close(grace = 2000): Promise<void> {
		this.#closing = true;
		const { promise, resolve } = Promise.withResolvers<void>();
		this.#idle = resolve;
		const timer = setTimeout(() => this.#disconnect(), grace);
		if (this.#making === 0) this.#disconnect();
		this.#settle();
		await promise;
		clearTimeout(timer);
	}

	#disconnect(): void {
		for (const socket of this.#sockets.keys()) socket.destroy();
	}

	#settle(): void {
		if (this.#sockets.size === 0) this.#idle?.();
	}
}

const pathOf = ({ url = "/" }: IncomingMessage): string => url.split("?", 1)[0] ?? "/";

/**
 * Whether a request names the server by an address or as localhost. A web page that makes its own name resolve to loopback
 * (DNS rebinding) sends that name.
 */
function isOwnHost({ headers, socket }: IncomingMessage): boolean {
	// UNIX sockets are out of a browser's reach, and their clients send any name.
	if (socket.remoteAddress === undefined || headers.host === undefined) return true;
	const name = headers.host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
	return name === "localhost" || isIP(name) !== 0;
}

function refuse(response: ServerResponse, status: number, why: string): void {
	response.statusCode = status;
	response.setHeader("Content-Type", "text/plain; charset=utf-8");
	if (status === 405) response.setHeader("Allow", "GET, HEAD");
	if (status === 503) response.setHeader("Retry-After", "5");
	response.end(`${why}\n`);
}

async function* index(): AsyncGenerator<string> {
	yield "virtkit\n\n/metrics  figures for Prometheus\n";
}
