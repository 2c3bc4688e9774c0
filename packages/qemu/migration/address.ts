// Where the destination's QEMU listens and what the source is told to send to.

import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { VirtError } from "@virtkit/base/errors";
import { listeningPorts } from "../lifecycle/ports.ts";

/** libvirt's range (qemu.conf, migration_port_min and _max). */
const PORTS = { min: 49152, max: 49215 } as const;

/** Ports promised to migrations whose QEMU may not have bound them yet. */
const GIVEN = new Set<number>();

/** A port kept for one incoming migration. */
export interface MigrationPort extends Disposable {
	readonly port: number;
}

/** Takes `wanted`, or the first free port of the range. Throws INTERNAL_ERROR where there is none. */
export function takePort(wanted?: number): MigrationPort {
	const port = wanted ?? freePort();
	GIVEN.add(port);
	return { port, [Symbol.dispose]: () => void GIVEN.delete(port) };
}

function freePort(): number {
	const taken = listeningPorts();
	for (let port: number = PORTS.min; port <= PORTS.max; port++) if (!GIVEN.has(port) && !taken.has(port)) return port;
	throw new VirtError(
		"INTERNAL_ERROR",
		`Unable to find an unused port in range 'migration' (${PORTS.min}-${PORTS.max})`,
		{ domain: "NONE" },
	);
}

export interface MigrationAddress {
	/** An IPv6 address without its brackets. */
	readonly host: string;
	readonly port?: number;
}

const URI = /^tcp:(?:\/\/)?(?:\[([0-9a-fA-F:.%]+)\]|([^:/[\]]+))(?::(\d{1,5}))?\/?$/;

/** Reads `tcp:HOST[:PORT]` or `tcp://HOST[:PORT]`. Throws INVALID_ARG. */
export function parseMigrationUri(uri: string): MigrationAddress {
	const [, bracketed, plain, digits] = URI.exec(uri) ?? [];
	const host = bracketed ?? plain;
	const port = digits === undefined ? undefined : Number(digits);
	if (host === undefined || (port !== undefined && (port < 1 || port > 65_535)))
		throw new VirtError("INVALID_ARG", `unable to parse migration URI '${uri}': it must be tcp://HOST:PORT`);
	return port === undefined ? { host } : { host, port };
}

/** The host as it stands before a port. */
export const bracket = (host: string): string => (host.includes(":") ? `[${host}]` : host);

/** What the source is told: the URI that was asked for with a port in it, or this host's name. */
export function uriOut(wanted: string | undefined, port: number): string {
	if (wanted === undefined) return `tcp:${hostname()}:${port}`;
	const address = parseMigrationUri(wanted);
	return address.port === undefined ? `${wanted.replace(/\/$/, "")}:${port}` : wanted;
}

/** Every address of the host, where nobody named one. */
export function anyAddress(): string {
	try {
		return readFileSync("/proc/net/if_inet6", "latin1") === "" ? "0.0.0.0" : "::";
	} catch {
		return "0.0.0.0";
	}
}
