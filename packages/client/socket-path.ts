// Where libvirt's daemons listen: the socket that a URI without one means.

import { existsSync } from "node:fs";
import { homedir } from "node:os";
import type { ConnectionUri } from "./uri.ts";

/** Facts about this process that decide about the path; replaced in tests. */
export interface SocketSurroundings {
	readonly runtimeDirectory: string | undefined;
	readonly isRoot: boolean;
	readonly exists: (path: string) => boolean;
}

const HERE: SocketSurroundings = {
	runtimeDirectory: process.env["XDG_RUNTIME_DIR"],
	isRoot: process.getuid?.() === 0,
	exists: existsSync,
};

/** libvirt writes /var/run, which exists on every system that has /run, and on remote ones that do not. */
const SYSTEM_DIRECTORY = "/var/run/libvirt";

/** The path of the daemon's socket: the URI's own, or where libvirtd or the driver's own daemon listens. */
export function daemonSocketPath(uri: ConnectionUri, readOnly: boolean, here: SocketSurroundings = HERE): string {
	if (uri.socket !== undefined) return uri.socket;
	const legacy = socketPath("libvirt", uri, readOnly, here);
	if (uri.transport !== "unix" || uri.mode === "legacy" || uri.driver === "") return legacy;
	const direct = socketPath(`virt${uri.driver}d`, uri, readOnly, here);
	return uri.mode === "direct" || here.exists(direct) ? direct : legacy;
}

function socketPath(prefix: string, uri: ConnectionUri, readOnly: boolean, here: SocketSurroundings): string {
	if (!isUserDaemon(uri, here)) return `${SYSTEM_DIRECTORY}/${prefix}-sock${readOnly ? "-ro" : ""}`;
	const directory = here.runtimeDirectory ?? `${homedir()}/.cache`;
	return `${directory}/libvirt/${prefix}-sock`;
}

/** Whether the daemon of this user is meant, rather than the system's. */
function isUserDaemon(uri: ConnectionUri, here: SocketSurroundings): boolean {
	if (uri.host !== undefined) return false;
	if (uri.path === "/session") return true;
	return uri.driver === "" && !here.isRoot;
}
