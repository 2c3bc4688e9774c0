// Makes a listening UNIX socket before a process is spawned, so that connecting to it never races with the process's start.

import { chmodSync, chownSync, fchmodSync, unlinkSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import { callLibc } from "./libc.ts";
import { isErrno, systemError } from "./system-error.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
/** sizeof sun_path, with room for the closing zero (unix(7)). */
const PATH_BYTES = 108;

export interface ListeningSocketOptions {
	/** Permissions of the path; 0o600 unless told. */
	readonly mode?: number;
	/** Who owns the path; whoever runs this process unless told. */
	readonly owner?: { readonly uid: number; readonly gid: number };
	readonly backlog?: number;
}

/**
 * A listening socket that Node does not manage: a net.Server would remove the path when its handle is closed here,
 * although the child still listens on its copy.
 */
export interface ListeningSocket extends Disposable {
	readonly fd: number;
	readonly path: string;
	/** Closes our copy of the descriptor; the path stays for whoever has another copy. */
	close(): void;
	/** Closes our copy and removes the path. */
	remove(): void;
}

function sockaddr(path: string): Uint8Array {
	const name = new TextEncoder().encode(path);
	if (name.length >= PATH_BYTES) {
		throw new VirtError(
			"INTERNAL_ERROR",
			`UNIX socket path '${path}' too long: ${name.length} bytes, at most ${PATH_BYTES - 1}`,
			{ domain: "NONE" },
		);
	}
	const address = new Uint8Array(2 + PATH_BYTES);
	new Uint16Array(address.buffer, 0, 1)[0] = AF_UNIX;
	address.set(name, 2);
	return address;
}

function removePath(path: string): void {
	try {
		unlinkSync(path);
	} catch (error) {
		if (!isErrno(error, "ENOENT")) throw systemError(`Unable to unlink ${path}`, error);
	}
}

/**
 * Binds and listens on `path`, taking the place of a stale socket there.
 *
 * Disposing it removes the path too, unless it was closed before: keep it under `using` until the child runs, then `close`.
 */
export function listenOnUnixSocket(path: string, options: ListeningSocketOptions = {}): ListeningSocket {
	const { mode = 0o600, backlog = 16 } = options;
	const address = sockaddr(path);
	const made = callLibc("socket", AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if ("errno" in made) throw systemError("Unable to create UNIX socket", made.errno);
	const fd = made.value;
	let open = true;
	const close = () => {
		if (open) callLibc("close", fd);
		open = false;
	};
	const remove = () => {
		close();
		removePath(path);
	};
	try {
		removePath(path);
		// bind(2) gives the path the socket's own mode less the umask: nobody else gets in before chmod.
		fchmodSync(fd, 0o600);
		const bound = callLibc("bind", fd, address, address.length);
		if ("errno" in bound) throw systemError(`Unable to bind to UNIX socket path '${path}'`, bound.errno);
		chmodSync(path, mode);
		if (options.owner) chownSync(path, options.owner.uid, options.owner.gid);
		const listening = callLibc("listen", fd, backlog);
		if ("errno" in listening) throw systemError(`Unable to listen on UNIX socket path '${path}'`, listening.errno);
	} catch (error) {
		remove();
		throw error instanceof VirtError ? error : systemError(`Unable to set up UNIX socket path '${path}'`, error);
	}
	return {
		fd,
		path,
		close,
		remove,
		[Symbol.dispose]: () => {
			if (open) remove();
		},
	};
}
