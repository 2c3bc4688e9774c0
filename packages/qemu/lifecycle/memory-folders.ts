// Folders of files that back a guest's memory: on disk, and in the file systems of huge pages. QEMU does not make them.

import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { systemError } from "@virtkit/host/system-error";
import type { CommandLine } from "../command-line/command-line.ts";
import { shortName } from "../command-line/memory-backend.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { DEFAULT_SETTINGS } from "../settings-file.ts";
import { giveTo } from "./work-folder.ts";

/**
 * Where memory files of a run lie: where the settings say, else below the driver's own folders.
 *
 * libvirt's default is one folder for the whole host, where two daemons with a guest of the same number and name would have
 * both guests share one memory.
 */
export function memoryFolder({ settings, paths }: Driver, name: string): string {
	const isDeclared = settings.memoryBackingDir !== DEFAULT_SETTINGS.memoryBackingDir;
	return join(isDeclared ? settings.memoryBackingDir : join(paths.lib, "ram"), name);
}

/** All folders that may be made for the run's memory. */
function possibleFolders({ host }: Driver, run: Run): string[] {
	const name = shortName(run.live.def);
	const own = run.paths.memory === undefined ? [] : [run.paths.memory];
	return [...own, ...host.hugepages.map(({ mount }) => join(mount, "libvirt/qemu", name))];
}

/** Those of the folders that the options have memory files in. */
function usedFolders(driver: Driver, run: Run, { options }: CommandLine): string[] {
	return possibleFolders(driver, run).filter((folder) =>
		options.some(({ value }) => value?.includes(`"mem-path":${JSON.stringify(folder).slice(0, -1)}`)),
	);
}

function makeFolder(driver: Driver, folder: string): void {
	try {
		mkdirSync(folder, { recursive: true });
		giveTo(driver, folder);
	} catch (error) {
		throw systemError(`cannot make the folder '${folder}' for the guest's memory`, error);
	}
}

/** Makes those folders that the command line has memory files in. */
export function makeMemoryFolders(driver: Driver, run: Run, command: CommandLine): void {
	const folders = usedFolders(driver, run, command);
	if (folders.length === 0) return;
	adoptMemoryFolders(driver, run);
	for (const folder of folders) {
		rmSync(folder, { recursive: true, force: true });
		makeFolder(driver, folder);
	}
}

/** Makes those that a device needs which is plugged in; they stay until the guest ends. */
export function addMemoryFolders(driver: Driver, run: Run, line: CommandLine): void {
	for (const folder of usedFolders(driver, run, line)) {
		if (existsSync(folder)) continue;
		adoptMemoryFolders(driver, run);
		makeFolder(driver, folder);
	}
}

/** Takes over the folders that a former daemon made. */
export function adoptMemoryFolders(driver: Driver, run: Run): void {
	run.resources.defer("the folders of the guest's memory", () => {
		for (const folder of possibleFolders(driver, run)) rmSync(folder, { recursive: true, force: true });
	});
}
