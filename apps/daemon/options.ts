// The daemon's command line.

import { resolve } from "node:path";
import { parseArgs } from "node:util";

export interface DaemonOptions {
	/** Folder that holds everything of this instance. */
	readonly root: string | undefined;
	/** Also listen where libvirt's clients look for qemu:///system. */
	readonly libvirtSockets: boolean;
	/** `host:port` to listen on with TCP; without authentication, so on loopback only. */
	readonly tcp: { readonly host: string; readonly port: number } | undefined;
	/** Where the HTTP front-end listens, whatever virtkit.conf says. */
	readonly http: HttpAddress | undefined;
	readonly verbose: boolean;
	readonly help: boolean;
}

/** A loopback address or the path of a UNIX socket: the HTTP front-end asks nobody who they are. */
export type HttpAddress = { readonly host: string; readonly port: number } | { readonly path: string };

export const DAEMON_USAGE = `usage: virtkit daemon [--root DIR] [--libvirt-sockets] [--tcp HOST:PORT] [--http ADDRESS] [--verbose]

  --root DIR          keep everything of this instance under DIR (etc, lib, run, log)
  --libvirt-sockets   also listen in /run/libvirt, where libvirt's clients look for qemu:///system
  --tcp HOST:PORT     also listen on TCP without authentication; loopback addresses only
  --http ADDRESS      serve metrics for Prometheus at HOST:PORT (loopback) or on the UNIX socket /PATH
  --verbose           log what each client asks

Runs in the foreground, logs on standard error, and prints "ready" once its sockets accept.
Ends on SIGTERM or SIGINT; guests keep running and are found again by the next start.
`;

/** Reads the words after \`virtkit daemon\`. Throws an Error that says what does not fit. */
export function parseDaemonOptions(words: readonly string[]): DaemonOptions {
	const { values } = parseArgs({
		args: [...words],
		options: {
			root: { type: "string" },
			"libvirt-sockets": { type: "boolean", default: false },
			tcp: { type: "string" },
			http: { type: "string" },
			verbose: { type: "boolean", short: "v", default: false },
			help: { type: "boolean", short: "h", default: false },
		},
	});
	return {
		root: values.root === undefined ? undefined : resolve(values.root),
		libvirtSockets: values["libvirt-sockets"],
		tcp: values.tcp === undefined ? undefined : parseLoopback(values.tcp, "--tcp"),
		http: values.http === undefined ? undefined : parseHttpAddress(values.http),
		verbose: values.verbose,
		help: values.help,
	};
}

/** Reads where the HTTP front-end is to listen. Throws an Error that says what does not fit. */
export function parseHttpAddress(spelled: string): HttpAddress {
	return spelled.startsWith("/") ? { path: spelled } : parseLoopback(spelled, "the HTTP front-end");
}

function parseLoopback(spelled: string, who: string): { host: string; port: number } {
	const match = /^(?:\[([0-9a-f:]+)\]|([^:]*)):(\d+)$/i.exec(spelled);
	const host = match?.[1] ?? (match?.[2] || "127.0.0.1");
	const port = Number(match?.[3]);
	if (!match || port > 65535) throw new Error(`${who} wants HOST:PORT, such as 127.0.0.1:16509, not '${spelled}'`);
	if (!/^(127\.|::1$|localhost$)/.test(host))
		throw new Error(`${who} has no authentication yet and listens on loopback only, not on '${host}'`);
	return { host, port };
}
