// A matcher for assert.throws: the error is ours, of that code, and its message says these things.

import type { ErrorCode } from "@virtkit/base/errors";
import { VirtError } from "@virtkit/base/errors";

/** A check for `assert.throws` and `assert.rejects`. */
export function isVirtError(code: ErrorCode, ...parts: readonly string[]): (error: unknown) => true {
	return (error) => {
		if (!(error instanceof VirtError)) throw new Error(`not a VirtError: ${String(error)}`, { cause: error });
		if (error.code !== code) throw new Error(`code ${error.code} instead of ${code}: ${error.message}`);
		for (const part of parts) {
			if (!error.message.includes(part)) throw new Error(`'${error.message}' does not say '${part}'`);
		}
		return true;
	};
}
