// Turns a failed system call into the project's error, with the text that strerror(3) has for its errno.

import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";
import { VirtError } from "@virtkit/base/errors";
import { errnoWording } from "./libc.ts";

/** The number of a Node error's errno (ENOENT → 2), undefined where the error has none. */
export function errnoOf(error: unknown): number | undefined {
	const code = (error as NodeJS.ErrnoException | undefined)?.code;
	return code === undefined ? undefined : (constants.errno as Record<string, number>)[code];
}

/** Whether `error` is a failed system call with this errno name ("ENOENT"). */
export function isErrno(error: unknown, ...names: readonly string[]): boolean {
	const code = (error as NodeJS.ErrnoException | undefined)?.code;
	return code !== undefined && names.includes(code);
}

/** libc's words for an errno number; libuv's where libc cannot be reached. */
export function errnoText(errno: number): string {
	return errnoWording(errno) ?? getSystemErrorMap().get(-errno)?.[1] ?? `errno ${errno}`;
}

/**
 * A SYSTEM_ERROR that says what was being done and why the kernel refused.
 *
 * `failure` is an errno number or what a Node call threw. libvirt carries the errno in the error's int1, so do we.
 */
export function systemError(doing: string, failure: unknown): VirtError {
	const errno = typeof failure === "number" ? failure : errnoOf(failure);
	const reason =
		errno === undefined ? (failure instanceof Error ? failure.message : String(failure)) : errnoText(errno);
	return new VirtError("SYSTEM_ERROR", `${doing}: ${reason}`, {
		domain: "NONE",
		...(errno === undefined ? {} : { int1: errno }),
		...(typeof failure === "number" ? {} : { cause: failure }),
	});
}
