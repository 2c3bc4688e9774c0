// Runs qemu-img on images of guests that do not run.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { VirtError } from "@virtkit/base/errors";

/** Throws INTERNAL_ERROR with what it said where it fails. */
export async function qemuImg(...args: readonly string[]): Promise<string> {
	try {
		const { stdout } = await promisify(execFile)("qemu-img", args, { maxBuffer: 16 << 20 });
		return stdout;
	} catch (cause) {
		const { stderr = "", message } = cause as Error & { stderr?: string };
		throw new VirtError("INTERNAL_ERROR", `qemu-img ${args[0]} failed: ${stderr.trim() || message}`, { cause });
	}
}
