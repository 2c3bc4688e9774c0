// A monitor for tests: listens on a UNIX socket and says what the test tells it to, whatever the protocol.

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LineDecoder } from "./line-decoder.ts";

export const GREETING =
	'{"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": ""}, "capabilities": ["oob"]}}\r\n';

/** What a client wrote, one command. */
export interface Received {
	readonly execute?: string;
	readonly "exec-oob"?: string;
	readonly id?: string;
	readonly arguments?: Readonly<Record<string, unknown>>;
}

export interface FakeMonitorScript {
	/** Sent to each client as it connects. */
	readonly greeting?: string;
	/** Called for each command; what it returns is sent. */
	answer?(command: Received, socket: Socket): string | undefined;
	/** Called for each line as it came, before `answer`. */
	onLine?(line: string): void;
}

export class FakeMonitor implements AsyncDisposable {
	readonly path: string;
	readonly received: Received[] = [];
	readonly sockets = new Set<Socket>();
	readonly #directory = mkdtempSync(join(tmpdir(), "monitor-"));
	readonly #server: Server;

	private constructor(script: FakeMonitorScript) {
		this.path = join(this.#directory, "socket");
		this.#server = createServer((socket) => this.#serve(socket, script));
	}

	static async listen(script: FakeMonitorScript = {}): Promise<FakeMonitor> {
		const monitor = new FakeMonitor(script);
		await new Promise<void>((resolve) => monitor.#server.listen(monitor.path, resolve));
		return monitor;
	}

	/** The first connection there is, or that comes. */
	async connection(): Promise<Socket> {
		const [socket] = this.sockets;
		return socket ?? ((await once(this.#server, "connection"))[0] as Socket);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const socket of this.sockets) socket.destroy();
		await new Promise((resolve) => this.#server.close(resolve));
		rmSync(this.#directory, { recursive: true });
	}

	#serve(socket: Socket, script: FakeMonitorScript): void {
		const decoder = new LineDecoder();
		this.sockets.add(socket);
		socket.on("error", () => socket.destroy());
		socket.on("close", () => this.sockets.delete(socket));
		if (script.greeting) socket.write(script.greeting);
		socket.on("data", (chunk) => {
			for (const line of decoder.push(chunk)) {
				script.onLine?.(line);
				const command: Received = JSON.parse(line.slice(line.lastIndexOf("\u{fffd}") + 1));
				this.received.push(command);
				const answer = script.answer?.(command, socket);
				if (answer !== undefined) socket.write(answer);
			}
		});
	}
}

/** An answer to `command` as QMP has it. */
export function returnOf(command: Received, value: unknown = {}): string {
	return `${JSON.stringify({ return: value, id: command.id })}\r\n`;
}
