// Logs what a guest prints on its primary serial port or console: QEMU appends it to a file, whose size is kept within bounds.

import { closeSync, openSync } from "node:fs";
import { copyFile, rename, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { toVirtError } from "@virtkit/base/errors";
import { isErrno, systemError } from "@virtkit/host/system-error";
import type { CommandLine } from "../command-line/command-line.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";

/** Number of the descriptor set by which QEMU knows the file; none of QEMU's own comes near it. */
const FD_SET = 4095;

/** How often sizes are looked at, in milliseconds. */
const WATCH_INTERVAL_MS = 5_000;

/** Path of the console's log of the domain of that name. */
export const consoleLogFile = ({ paths }: Pick<Driver, "paths">, name: string): string =>
	join(paths.log, `${name}-console.log`);

/** Whose output is logged: the first serial port, else the first console; undefined where its log is the definition's own affair. */
function primaryAlias({ live: { def } }: Run): string | undefined {
	const primary = def.devices.serials[0] ?? def.devices.consoles[0];
	if (primary === undefined || primary.log?.file !== undefined) return undefined;
	return primary.type === "file" || primary.type === "null" ? undefined : primary.alias;
}

/**
 * Has the QEMU of `command` log the primary console; dispose once QEMU is started.
 *
 * The file is opened here and passed, since QEMU's user may not look into the folder. Only this start's command line
 * changes: the guest sees nothing of it, and its definition says nothing of it.
 */
export function logConsole(driver: Driver, run: Run, name: string, command: CommandLine): Disposable {
	const alias = primaryAlias(run);
	const index = command.options.findIndex(
		(option) => option.name === "-chardev" && option.value?.split(",").includes(`id=char${alias}`),
	);
	const option = command.options[index];
	if (alias === undefined || option === undefined) return { [Symbol.dispose]: () => undefined };
	const path = consoleLogFile(driver, name);
	const fd = openLog(path);
	const origin = { what: "log of the console" };
	const value = `${option.value},logfile=/dev/fdset/${FD_SET},logappend=on`;
	command.options.splice(
		index,
		1,
		{ name: "-add-fd", value: `set=${FD_SET},fd=${command.passFd(fd)},opaque=console-log`, origin },
		{ ...option, value },
	);
	watchConsoleLog(driver, run, name);
	return { [Symbol.dispose]: () => closeSync(fd) };
}

function openLog(path: string): number {
	try {
		return openSync(path, "a", 0o600);
	} catch (error) {
		throw systemError(`cannot open the log '${path}'`, error);
	}
}

/** Logs of running guests, with the driver that bounds them. */
const WATCHED = new Map<string, Driver>();
let timer: NodeJS.Timeout | undefined;

/** Keeps the log's size within the driver's settings as long as the run lasts. */
export function watchConsoleLog(driver: Driver, run: Run, name: string): void {
	const path = consoleLogFile(driver, name);
	WATCHED.set(path, driver);
	timer ??= setInterval(() => void rotateAll(), WATCH_INTERVAL_MS).unref();
	run.resources.defer("the console's log", () => {
		WATCHED.delete(path);
		if (WATCHED.size > 0) return;
		clearInterval(timer);
		timer = undefined;
	});
}

async function rotateAll(): Promise<void> {
	for (const [path, driver] of WATCHED) {
		try {
			await rotateConsoleLog(path, driver.settings);
		} catch (error) {
			driver.log.warn(`cannot rotate '${path}': ${toVirtError(error).message}`, { error });
		}
	}
}

/** Where the log is too long, moves what it holds into a file beside it; QEMU, which has it open, goes on at its beginning. */
export async function rotateConsoleLog(
	path: string,
	{ logMaxSize, logMaxBackups }: Pick<Driver["settings"], "logMaxSize" | "logMaxBackups">,
): Promise<void> {
	if ((await sizeOf(path)) <= logMaxSize) return;
	for (let number = logMaxBackups - 1; number > 0; number--)
		await rename(`${path}.${number - 1}`, `${path}.${number}`).catch(ignoreMissing);
	if (logMaxBackups > 0) await copyFile(path, `${path}.0`);
	await truncate(path);
}

async function sizeOf(path: string): Promise<number> {
	try {
		return (await stat(path)).size;
	} catch (error) {
		ignoreMissing(error);
		return 0;
	}
}

function ignoreMissing(error: unknown): void {
	if (!isErrno(error, "ENOENT")) throw error;
}
