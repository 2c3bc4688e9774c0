// The one error type of the project: libvirt's code and domain, a message that names the thing, and the cause.

import { ERROR_CODES, ERROR_DOMAINS } from "./error-codes.ts";

export type ErrorCode = keyof typeof ERROR_CODES;
export type ErrorDomain = keyof typeof ERROR_DOMAINS;

/** Extra facts an error may carry to the wire (virError's str2, str3, int1, int2) and to logs. */
export interface VirtErrorOptions {
	readonly domain?: ErrorDomain;
	readonly cause?: unknown;
	readonly int1?: number;
	readonly int2?: number;
	/** Line and column (1-based) in the document that the error is about. */
	readonly position?: { readonly line: number; readonly column: number };
}

/**
 * An error as libvirt's clients know it.
 *
 * `message` is libvirt's wording for the code with `detail` in it, as `virsh` prints it after `error: `.
 */
export class VirtError extends Error {
	override readonly name = "VirtError";
	readonly code: ErrorCode;
	readonly domain: ErrorDomain;
	/** The part after the code's own wording, undefined when the code alone says it all. */
	readonly detail: string | undefined;
	readonly int1: number;
	readonly int2: number;
	readonly position: VirtErrorOptions["position"];

	constructor(code: ErrorCode, detail?: string, options: VirtErrorOptions = {}) {
		super(formatErrorMessage(code, detail), options.cause === undefined ? undefined : { cause: options.cause });
		this.code = code;
		this.detail = detail;
		this.domain = options.domain ?? "QEMU";
		this.int1 = options.int1 ?? -1;
		this.int2 = options.int2 ?? -1;
		this.position = options.position;
	}

	/** The number on the wire (virErrorNumber). */
	get number(): number {
		return ERROR_CODES[this.code][0];
	}

	/** The number of the subsystem on the wire (virErrorDomain). */
	get domainNumber(): number {
		return ERROR_DOMAINS[this.domain];
	}

	/** The status that the HTTP front-end answers. */
	get httpStatus(): number {
		return ERROR_CODES[this.code][3];
	}
}

/** libvirt's wording for `code`, with `detail` filled in where given. */
export function formatErrorMessage(code: ErrorCode, detail?: string): string {
	const [, plain, detailed] = ERROR_CODES[code];
	return detail === undefined ? plain : detailed.replace("%s", () => detail);
}

const CODE_BY_NUMBER = new Map<number, ErrorCode>(
	Object.entries(ERROR_CODES).map(([name, row]) => [row[0], name as ErrorCode]),
);

/** The code behind a wire number; an unknown number is an internal error. */
export function errorCodeOf(number: number): ErrorCode {
	return CODE_BY_NUMBER.get(number) ?? "INTERNAL_ERROR";
}

/** Any thrown value as a VirtError: ours unchanged, anything else an internal error that keeps its cause. */
export function toVirtError(thrown: unknown): VirtError {
	if (thrown instanceof VirtError) return thrown;
	// What went wrong first is what matters; that taking it back failed too is a second fault.
	if (thrown instanceof SuppressedError) return toVirtError(thrown.suppressed);
	return new VirtError("INTERNAL_ERROR", thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown });
}
