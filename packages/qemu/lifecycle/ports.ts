// TCP ports of graphical consoles: those that the definition leaves open are chosen among what is free, and kept while the guest runs.

import { readFileSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import type { GraphicsDef } from "@virtkit/model/domain/graphics";
import { hasPort } from "@virtkit/model/domain/graphics-listen";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";

/** First port that VNC clients look for WebSockets at when none is named. */
const WEBSOCKET_MIN = 5700;

/** Ports given to guests of this daemon, whose QEMU may not have bound them yet. */
const GIVEN = new Set<number>();

/** State 0A of proc_net_tcp: a listening socket. */
const LISTENING = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) \S+ 0A /gm;

/** Ports that somebody on this host listens on, whatever the address. */
export function listeningPorts(root = "/proc/net"): Set<number> {
	const ports = new Set<number>();
	for (const file of ["tcp", "tcp6"]) {
		let text = "";
		try {
			text = readFileSync(`${root}/${file}`, "latin1");
		} catch {
			// A kernel without IPv6 has no such file.
		}
		for (const [, port = "0"] of text.matchAll(LISTENING)) ports.add(Number.parseInt(port, 16));
	}
	return ports;
}

class PortChoice {
	readonly #run: Run;
	#taken: Set<number> | undefined;

	constructor(run: Run) {
		this.#run = run;
	}

	/** The first free port of the range. Throws INTERNAL_ERROR where there is none. */
	choose(what: string, min: number, max: number): number {
		this.#taken ??= listeningPorts();
		for (let port = min; port <= max; port++) {
			if (GIVEN.has(port) || this.#taken.has(port)) continue;
			this.keep(port);
			return port;
		}
		throw new VirtError("INTERNAL_ERROR", `Unable to find an unused port in range '${what}' (${min}-${max})`, {
			domain: "NONE",
		});
	}

	/** Nobody else of ours gets the port while the run lasts. */
	keep(port: number): void {
		GIVEN.add(port);
		this.#run.resources.defer(`port ${port}`, () => void GIVEN.delete(port));
	}
}

/** Chooses the ports that the run's definition leaves open. */
export function choosePorts(driver: Driver, run: Run): void {
	const choice = new PortChoice(run);
	const { remoteDisplayPortMin: min, remoteDisplayPortMax: max } = driver.settings;
	for (const graphics of run.live.def.devices.graphics) {
		if (!hasPort(graphics)) continue;
		if (graphics.type === "vnc") {
			if (graphics.autoport) graphics.port = choice.choose("vnc", min, max);
			else if (graphics.port) choice.keep(graphics.port);
			if (graphics.websocket === -1) {
				graphics.websocket = choice.choose("webSocket", WEBSOCKET_MIN, max);
				graphics.websocketGenerated = true;
			}
		} else if (graphics.type === "spice" && (graphics.autoport || graphics.port === -1))
			graphics.port = choice.choose("spice", min, max);
	}
}

/** Keeps the ports of a run taken over from others. */
export function keepPorts(run: Run): void {
	const choice = new PortChoice(run);
	for (const port of run.live.def.devices.graphics.flatMap(portsOf)) choice.keep(port);
}

function portsOf(graphics: GraphicsDef): number[] {
	if (graphics.type === "vnc") return [graphics.port, graphics.websocket].filter((port) => port > 0);
	if (graphics.type === "spice") return [graphics.port ?? 0, graphics.tlsPort ?? 0].filter((port) => port > 0);
	return [];
}
