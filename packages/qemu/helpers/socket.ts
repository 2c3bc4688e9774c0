// Sockets that helpers listen on: made by the daemon with QEMU's user as their owner, and handed down.

import { listenOnUnixSocket } from "@virtkit/host/listening-socket";
import type { HelperContext } from "./helper.ts";

/** Listens on `path` for a helper. The path goes with the run; our copy of the descriptor with the start of this kind. */
export function listenFor({ driver: { runAs }, undo, handed }: HelperContext, path: string): number {
	const socket = listenOnUnixSocket(path, runAs ? { owner: { uid: runAs.uid, gid: runAs.gid } } : {});
	handed.defer(() => socket.close());
	undo.defer(`the socket '${path}'`, () => socket.remove());
	return socket.fd;
}
