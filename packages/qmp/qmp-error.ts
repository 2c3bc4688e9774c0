// The error of a command that QEMU or the guest agent refused, with their own class and description.

import { type ErrorCode, VirtError } from "@virtkit/base/errors";

/** QEMU's error classes (QEMU: qapi/error.json); everything but GenericError is kept for old commands. */
export type QmpErrorClass = "GenericError" | "CommandNotFound" | "DeviceNotActive" | "DeviceNotFound" | "KVMMissingCap";

export class QmpError extends VirtError {
	readonly command: string;
	/** One of QmpErrorClass, or what a newer QEMU calls it. */
	readonly class: string;
	/** QEMU's own words. */
	readonly desc: string;

	constructor(
		code: ErrorCode,
		prefix: string,
		command: string,
		refusal: { readonly class: string; readonly desc: string },
	) {
		super(code, `${prefix} '${command}': ${refusal.desc}`);
		this.command = command;
		this.class = refusal.class;
		this.desc = refusal.desc;
	}
}

/** True where `error` is QEMU's (or the agent's) refusal, of class `name` when that is given. */
export function isQmpError(error: unknown, name?: QmpErrorClass): error is QmpError {
	return error instanceof QmpError && (name === undefined || error.class === name);
}
