// A guest's log: how it was started, everything QEMU prints, why it ended. What QEMU prints when it fails becomes the error.

import { closeSync, fstatSync, openSync, readSync, renameSync, statSync, writeSync } from "node:fs";
import { hostname, release } from "node:os";
import { join } from "node:path";
import { VirtError } from "@virtkit/base/errors";
import { systemError } from "@virtkit/host/system-error";
import type { CommandLine } from "../command-line/command-line.ts";
import { formatShell } from "../command-line/format-shell.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";

/** Bytes of QEMU's output that go into an error: as many as libvirt's. */
const TAIL_BYTES = 1024;

/** Path of the log of the domain of that name. */
export function logFileOf(driver: Driver, name: string): string {
	return join(driver.paths.log, `${name}.log`);
}

/** The time in UTC as libvirt writes it: `2023-01-31 09:00:00.000+0000`. */
export function formatLogTime(time = new Date()): string {
	return time.toISOString().replace("T", " ").replace("Z", "+0000");
}

/** Opens the log for appending, a new one where the old is too long. The caller closes it. */
export function openGuestLog({ settings }: Driver, path: string): number {
	try {
		if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > settings.logMaxSize)
			rotate(path, settings.logMaxBackups);
		return openSync(path, "a", 0o600);
	} catch (error) {
		throw systemError(`cannot open the log '${path}'`, error);
	}
}

function rotate(path: string, backups: number): void {
	for (let number = backups - 1; number >= 0; number--) {
		try {
			renameSync(number === 0 ? path : `${path}.${number - 1}`, `${path}.${number}`);
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
		}
	}
}

/** Writes how the guest is started; what QEMU prints comes after. */
export function logStart(fd: number, run: Run, command: CommandLine): void {
	const { version } = run.caps;
	const qemu = [version / 1_000_000, (version / 1000) % 1000, version % 1000].map(Math.floor).join(".");
	const build = run.caps.facts.package === "" ? "" : `(${run.caps.facts.package})`;
	const about = `qemu version: ${qemu}${build}, kernel: ${release()}, hostname: ${hostname()}`;
	writeSync(fd, `${formatLogTime()}: starting up virtkit, ${about}\n${formatShell(command, true)}\n`);
	run.logStart = fstatSync(fd).size;
}

/** Appends a line with the time. Failing is no reason for anything else to fail. */
export function logLine(run: Run, line: string): void {
	try {
		const fd = openSync(run.paths.log, "a", 0o600);
		try {
			writeSync(fd, `${formatLogTime()}: ${line}\n`);
		} finally {
			closeSync(fd);
		}
	} catch {
		// A full disk must not keep a guest from being stopped.
	}
}

/** The end of what QEMU has printed in this run. */
export function readGuestOutput(run: Run): string {
	let text: string;
	try {
		const fd = openSync(run.paths.log, "r");
		try {
			const { size } = fstatSync(fd);
			const buffer = Buffer.alloc(Math.min(size - run.logStart, 16 * TAIL_BYTES));
			text = buffer.toString("utf8", 0, readSync(fd, buffer, 0, buffer.length, size - buffer.length));
		} finally {
			closeSync(fd);
		}
	} catch {
		return "";
	}
	const lines = text.split("\n").filter((line) => line !== "" && !line.includes("char device redirected to"));
	return tailOf(lines.join("\n"));
}

function tailOf(text: string): string {
	if (text.length <= TAIL_BYTES) return text;
	const tail = text.slice(-TAIL_BYTES);
	const line = tail.indexOf("\n");
	return line >= 0 && line < tail.length - 1 ? tail.slice(line + 1) : tail;
}

/** An INTERNAL_ERROR that says what happened, and what QEMU said. */
export function guestOutputError(run: Run, what: string, cause?: unknown): VirtError {
	const output = readGuestOutput(run);
	return new VirtError("INTERNAL_ERROR", output === "" ? what : `${what}: ${output}`, { cause });
}
