// Where the destination's QEMU listens and what the source is told to send to.

import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { VirtError } from "@virtkit/base/errors";
import { listeningPorts } from "../lifecycle/ports.ts";

/** Ports promised to migrations whose QEMU may not have bound them yet. */
const GIVEN = new Set<number>();

/** A port kept for one incoming migration. */
export interface MigrationPort extends Disposable {
	readonly port: number;
}

/** Where QEMU may listen: one port, or the first that is free of a range. */
export interface PortRange {
	readonly min: number;
	readonly max: number;
}

/** QEMU's words where another process has the port, which may have come since the ports were looked at. */
const IN_USE = /Address already in use/;

/**
 * Has QEMU listen by `bind`, at the next port of the range where another process was quicker.
 * Throws INTERNAL_ERROR where none is free, and what `bind` throws for any other reason.
 */
export async function bindPort(range: PortRange, bind: (port: number) => Promise<unknown>): Promise<MigrationPort> {
	for (let { min } = range; ; min++) {
		const port = range.min === range.max ? min : freePort({ min, max: range.max }, range);
		GIVEN.add(port);
		try {
			await bind(port);
			return { port, [Symbol.dispose]: () => void GIVEN.delete(port) };
		} catch (error) {
			GIVEN.delete(port);
			if (range.min === range.max || !(error instanceof Error && IN_USE.test(error.message))) throw error;
			min = port;
		}
	}
}

function freePort({ min, max }: PortRange, all: PortRange): number {
	const taken = listeningPorts();
	for (let port = min; port <= max; port++) if (!GIVEN.has(port) && !taken.has(port)) return port;
	throw new VirtError("INTERNAL_ERROR", `Unable to find an unused port in range 'migration' (${all.min}-${all.max})`, {
		domain: "NONE",
	});
}

export type MigrationAddress =
	/** An IPv6 address without its brackets. */
	| { readonly scheme: "tcp"; readonly host: string; readonly port?: number }
	| { readonly scheme: "unix"; readonly path: string };

const TCP = /^tcp:(?:\/\/)?(?:\[([0-9a-fA-F:.%]+)\]|([^:/[\]]+))(?::(\d{1,5}))?\/?$/;
const UNIX = /^unix:(?:\/\/)?(\/[^?#]+)$/;

/**
 * Reads `tcp:HOST[:PORT]`, `tcp://HOST[:PORT]` or `unix:///PATH`. Throws ARGUMENT_UNSUPPORTED for another scheme,
 * INVALID_ARG for what is no such URI.
 */
export function parseMigrationUri(uri: string): MigrationAddress {
	const [, scheme] = /^([a-z][a-z0-9+.-]*):/.exec(uri) ?? [];
	if (scheme === undefined) throw new VirtError("INVALID_ARG", `missing scheme in migration URI: ${uri}`);
	if (scheme !== "tcp" && scheme !== "unix")
		throw new VirtError("ARGUMENT_UNSUPPORTED", `unsupported scheme ${scheme} in migration URI ${uri}`);
	const [, path] = UNIX.exec(uri) ?? [];
	if (path !== undefined) return { scheme: "unix", path: decodeURIComponent(path) };
	const [, bracketed, plain, digits] = TCP.exec(uri) ?? [];
	const host = bracketed ?? plain;
	const port = digits === undefined ? undefined : Number(digits);
	if (host === undefined || (port !== undefined && (port < 1 || port > 65_535)))
		throw new VirtError(
			"INVALID_ARG",
			`unable to parse migration URI '${uri}': it must be tcp://HOST:PORT or unix:///PATH`,
		);
	return port === undefined ? { scheme: "tcp", host } : { scheme: "tcp", host, port };
}

/** The host as it stands before a port. */
export const bracket = (host: string): string => (host.includes(":") ? `[${host}]` : host);

/** What the source is told: the URI that was asked for with a port in it, or this host's name. */
export function uriOut(wanted: string | undefined, port: number): string {
	if (wanted === undefined) return `tcp:${hostname()}:${port}`;
	const address = parseMigrationUri(wanted);
	return address.scheme === "tcp" && address.port === undefined ? `${wanted.replace(/\/$/, "")}:${port}` : wanted;
}

/** Every address of the host, where nobody named one. */
export function anyAddress(): string {
	try {
		return readFileSync("/proc/net/if_inet6", "latin1") === "" ? "0.0.0.0" : "::";
	} catch {
		return "0.0.0.0";
	}
}
