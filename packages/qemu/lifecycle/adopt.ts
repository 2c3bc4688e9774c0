// Finds the guests that a former daemon left: those that run are taken over, those half started or ended meanwhile are cleaned up.

import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { toVirtError } from "@virtkit/base/errors";
import { removeStrayFiles } from "@virtkit/host/atomic-file";
import { findProcesses, type ProcessIdentity, readCommandLine, terminateProcess } from "@virtkit/host/process";
import { type DomainStatus, parseStatus } from "../domain/status.ts";
import type { Driver } from "../driver-context.ts";
import { findHelpers } from "../helpers/find.ts";
import { endHelper } from "../helpers/spawn.ts";
import { adoptRun, type GuestProcesses } from "./adopt-run.ts";

/** How long the driver's start waits for guests whose QEMU does not answer; they are taken over when it does. */
const PATIENCE_MS = 5000;

/** A process that was being spawned when the daemon was killed shows itself within this time. */
const LATE_MS = 2000;

/** Takes over what runs. When this settles, the state of every domain whose QEMU answers is true. */
export async function adoptRuns(driver: Driver): Promise<void> {
	const statuses = readStatuses(driver);
	const folders = workFolders(driver);
	if (statuses.length === 0 && folders.size === 0) return;
	const processes = findGuestProcesses(driver);
	const helpers = findHelpers(join(driver.paths.lib, "domain-"));
	const adopting = statuses.map((status) => {
		const found = { process: processes.get(status.work), helpers: helpers.get(status.work) ?? [] };
		return adopt(driver, status, found);
	});
	const known = new Set(statuses.map(({ work }) => work));
	await endStrays(driver, known);
	for (const folder of folders) if (!known.has(folder)) rmSync(folder, { recursive: true, force: true });
	void delay(LATE_MS, undefined, { ref: false }).then(() => endStrays(driver, new Set()));
	await Promise.race([Promise.all(adopting), delay(PATIENCE_MS, undefined, { ref: false })]);
}

async function adopt(driver: Driver, status: DomainStatus, found: GuestProcesses): Promise<void> {
	try {
		await adoptRun(driver, status, found);
	} catch (error) {
		driver.log.error(`cannot take over '${status.name}': ${toVirtError(error).message}`, { error });
	}
}

function readStatuses(driver: Driver): DomainStatus[] {
	const { status } = driver.paths;
	removeStrayFiles(status);
	return readdirSync(status)
		.filter((file) => file.endsWith(".xml") && !file.startsWith("."))
		.flatMap((file) => {
			const path = join(status, file);
			try {
				return [parseStatus(readFileSync(path, "utf8"))];
			} catch (error) {
				driver.log.error(`'${path}' is no status of a guest: ${toVirtError(error).message}`);
				return [];
			}
		});
}

function workFolders({ paths: { lib } }: Driver): Set<string> {
	return new Set(
		readdirSync(lib)
			.filter((name) => name.startsWith("domain-"))
			.map((name) => join(lib, name)),
	);
}

/** Emulators of this instance by the working folder that their command line names. */
function findGuestProcesses({ paths: { lib } }: Driver): Map<string, ProcessIdentity> {
	const marker = join(lib, "domain-");
	const found = new Map<string, ProcessIdentity>();
	const helpers = new Set([...findHelpers(marker).values()].flat().map((helper) => helper.process.pid));
	for (const process of findProcesses(marker)) {
		if (helpers.has(process.pid)) continue;
		const work = readCommandLine(process.pid)
			.map((argument) => workFolderIn(argument, marker))
			.find((folder) => folder !== undefined);
		if (work !== undefined) found.set(work, process);
	}
	return found;
}

/** The master key's path is in every emulator's command line: `"file":"DIR/domain-1-guest/master-key.aes"`. */
function workFolderIn(argument: string, marker: string): string | undefined {
	const at = argument.indexOf(marker);
	if (at < 0) return undefined;
	const end = argument.indexOf("/", at + marker.length);
	return end < 0 ? undefined : argument.slice(at, end);
}

/** Ends emulators and helpers that no domain of ours runs in: their daemon was killed before it noted them. */
async function endStrays(driver: Driver, known: ReadonlySet<string>): Promise<void> {
	const running = new Set(known);
	for (const { run } of driver.domains.all()) if (run) running.add(run.paths.work);
	for (const [work, helpers] of findHelpers(join(driver.paths.lib, "domain-")))
		if (!running.has(work)) for (const helper of helpers) await endHelper(helper);
	for (const [work, process] of findGuestProcesses(driver)) {
		if (running.has(work)) continue;
		driver.log.warn(`ending process ${process.pid}, an emulator whose start was never completed`);
		await terminateProcess(process, [{ signal: "SIGKILL", deadlineMs: 30_000 }]);
		rmSync(work, { recursive: true, force: true });
	}
}
