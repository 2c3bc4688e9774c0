// A guest's pseudo-terminal as a stream.

import { closeSync, constants, openSync } from "node:fs";
import type { Duplex } from "node:stream";
import { ReadStream } from "node:tty";
import { socketDescriptor } from "@virtkit/host/native";
import { systemError } from "@virtkit/host/system-error";

/**
 * Opens our side of a pseudo-terminal whose other side QEMU has; QEMU has made it raw already.
 *
 * It is polled like a socket and takes no thread. The stream ends when QEMU closes its side.
 * Throws SYSTEM_ERROR where it cannot be opened.
 */
export function openTerminal(path: string): Duplex {
	let fd: number;
	try {
		// Must not become the daemon's controlling terminal: what the guest prints could then send signals.
		fd = openSync(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
	} catch (error) {
		throw systemError(`Unable to open stream for '${path}'`, error);
	}
	try {
		// Node has only a class for reading from a terminal by this name; underneath it is a socket, which also writes.
		const terminal = new ReadStream(fd);
		// libuv opens the terminal once more, so that making it non-blocking concerns nobody else; then ours is one too many.
		if (socketDescriptor(terminal) !== fd) closeSync(fd);
		return terminal;
	} catch (error) {
		closeSync(fd);
		throw systemError(`Unable to open stream for '${path}'`, error);
	}
}
