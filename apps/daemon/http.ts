// Puts the HTTP front-end together: what it tells of the daemon and its servers, and where it listens.

import { readdirSync, readFileSync } from "node:fs";
import type { Hypervisor } from "@virtkit/core/hypervisor";
import { type DaemonFigures, EventLoopDelay, type ProcessFigures } from "@virtkit/http-server/daemon-metrics";
import { HttpServer } from "@virtkit/http-server/server";
import { type Listener, listenTcp, listenUnix } from "@virtkit/rpc-server/listen";
import type { RpcServer } from "@virtkit/rpc-server/server";
import manifest from "../../package.json" with { type: "json" };
import type { DaemonLog } from "./log.ts";
import type { HttpAddress } from "./options.ts";

/** A running HTTP front-end. */
export interface HttpFrontEnd extends AsyncDisposable {
	readonly address: string;
}

const PAGE_BYTES = 4096;

function countBy<T>(items: Iterable<T>, keyOf: (item: T) => string): Map<string, number> {
	const counts = new Map<string, number>();
	for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
	return counts;
}

/** Of this process, as the kernel tells; figures that it does not tell are left out. */
function processFigures(): ProcessFigures {
	const read = (name: string): string => {
		try {
			return readFileSync(`/proc/self/${name}`, "latin1");
		} catch {
			return "";
		}
	};
	const pages = Number.parseInt(read("statm"), 10);
	const limit = Number.parseInt(/^Max open files\s+(\d+)/m.exec(read("limits"))?.[1] ?? "", 10);
	return {
		openDescriptors: readdirSync("/proc/self/fd").length,
		maxDescriptors: Number.isNaN(limit) ? undefined : limit,
		virtualMemory: Number.isNaN(pages) ? undefined : pages * PAGE_BYTES,
		startTime: STARTED,
	};
}

const STARTED = Math.round(Date.now() - process.uptime() * 1000) / 1000;

function figuresOf(hypervisor: Hypervisor, rpc: RpcServer): DaemonFigures {
	return {
		version: manifest.version,
		clients: () => countBy(rpc.clients, ({ identity }) => identity.transport),
		calls: () => rpc.callCounts(),
		domains: () => countBy(hypervisor.domains.all(), ({ stateName }) => stateName),
		process: processFigures,
	};
}

/** Starts the front-end. Throws OPERATION_INVALID when it cannot listen there. */
export async function startHttp(
	hypervisor: Hypervisor,
	rpc: RpcServer,
	where: HttpAddress,
	logger: DaemonLog,
): Promise<HttpFrontEnd> {
	const delay = new EventLoopDelay();
	const metrics = { hypervisor, figures: figuresOf(hypervisor, rpc), delay };
	const server = new HttpServer({ metrics, logger });
	let listener: Listener;
	try {
		// Whoever may look at guests on the read-only socket may read their figures here.
		listener = "path" in where ? await listenUnix(server, where) : await listenTcp(server, where);
	} catch (error) {
		delay[Symbol.dispose]();
		throw error;
	}
	return {
		address: listener.address,
		async [Symbol.asyncDispose]() {
			await listener.close();
			await server.close();
			delay[Symbol.dispose]();
		},
	};
}
