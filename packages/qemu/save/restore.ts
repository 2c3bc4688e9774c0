// Starts a guest from a saved image: QEMU is made from the definition in it and loads the state behind that.

import { VirtError } from "@virtkit/base/errors";
import type { CallContext } from "@virtkit/core/domain-operations";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { type IncomingState, startRun } from "../lifecycle/start.ts";
import { saveStatusNow } from "../lifecycle/status-file.ts";
import { startCpus } from "../lifecycle/stop-operations.ts";
import { unpackFrom } from "./compress.ts";
import { asJob } from "./domain-job.ts";
import { readDefinition, replaceDefinition } from "./image-definition.ts";
import { type OpenImage, openImage } from "./image-file.ts";
import { announceMigration } from "./migrate-to-file.ts";
import { dropFromCache } from "./page-cache.ts";
import { checkSaveFlags, SAVE_FLAG } from "./save.ts";

/** Reading a large state takes as long as it takes. */
const FOR_EVER = { deadlineMs: Number.POSITIVE_INFINITY } as const;

/** States of QEMU's migration after which it is over. */
const ENDS: ReadonlySet<string> = new Set(["completed", "failed"]);

/** Name by which QEMU keeps the descriptor until it is used. */
const DESCRIPTOR = "incoming";

export interface RestoreRequest {
	readonly path: string;
	/** Stands in for the definition in the image, where the guest sees no difference. */
	readonly xml?: string | undefined;
}

/** How the restored guest is to go on. */
export interface RestoreOptions {
	/** Left paused although it ran, or let go although it was paused; as the image says where absent. */
	readonly running?: boolean | undefined;
	/** Left paused because the caller asked for that at a start. */
	readonly startPaused?: boolean;
	readonly bypassCache?: boolean;
	readonly resetNvram?: boolean;
	readonly autodestroy?: CallContext | undefined;
}

/** Restores a guest from a file: as its stored domain where there is one, else as one that lives only while it runs. */
export async function restoreDomain(
	driver: Driver,
	{ path, xml }: RestoreRequest,
	flags: number,
	context: CallContext,
): Promise<QemuDomain> {
	checkSaveFlags(flags, "virDomainRestoreFlags");
	await using image = await openImage(path);
	const saved = await readDefinition(driver, image.texts.xml);
	const def = xml === undefined ? saved : await replaceDefinition(driver, saved, xml);
	const identity = { name: def.name, uuid: def.uuid ?? "" };
	const known = driver.domains.match(identity);
	if (known?.run)
		throw new VirtError("OPERATION_INVALID", `domain '${known.name}' is already active`, { domain: "DOMAIN" });
	const domain = known ?? driver.domains.add(identity);
	try {
		using _job = await domain.lock.beginAsync("start", "virDomainRestoreFlags", { signal: context.signal });
		if (domain.run)
			throw new VirtError("OPERATION_INVALID", `domain '${domain.name}' is already active`, { domain: "DOMAIN" });
		await restoreImage(driver, domain, image, def, {
			running: flags & SAVE_FLAG.running ? true : flags & SAVE_FLAG.paused ? false : undefined,
			resetNvram: (flags & SAVE_FLAG.resetNvram) !== 0,
		});
	} catch (error) {
		if (!domain.persistent && domain.run === undefined) driver.domains.remove(domain);
		throw error;
	}
	if (flags & SAVE_FLAG.bypassCache) await dropFromCache(path);
	return domain;
}

/** Starts the guest of an opened image. The caller holds the domain's lock. */
export async function restoreImage(
	driver: Driver,
	domain: QemuDomain,
	image: OpenImage,
	definition: DomainDef,
	options: RestoreOptions,
): Promise<void> {
	const runs = (options.running ?? image.header.running) && !options.startPaused;
	await asJob(domain, "restore", async () => {
		const run = await startRun(driver, domain, {
			definition,
			// QEMU lets nothing run before its state is there: who wants it to run is served below, after it is told that it started.
			paused: options.startPaused ? "user" : runs ? "starting-up" : "unknown",
			autodestroy: options.autodestroy,
			resetNvram: options.resetNvram ?? false,
			incoming: incomingState(image),
		});
		driver.lifecycle(domain.ref, { event: "started", detail: "restored" });
		if (runs) {
			await startCpus(run, "restored");
			await saveStatusNow(domain, run);
		} else driver.lifecycle(domain.ref, { event: "suspended", detail: options.startPaused ? "paused" : "restored" });
	});
}

/** What a start needs to go on from the opened image. */
export function incomingState({ file, header }: OpenImage): IncomingState {
	return {
		extend: (command) => command.add("-incoming", "defer"),
		load: async (run) => {
			if (header.format === "raw") return loadState(run, file.fd);
			await using unpacker = await unpackFrom(header.format, file.fd, run.paths.work);
			await loadState(run, unpacker.fd, () => unpacker.handedOver());
			await unpacker.finish();
		},
	};
}

async function loadState({ monitor }: Run, fd: number, handedOver = () => {}): Promise<void> {
	await Promise.all([announceMigration(monitor), monitor.sendWithFd(fd, "getfd", { fdname: DESCRIPTOR })]);
	handedOver();
	const loaded = monitor.waitForEvent("MIGRATION", ({ data: { status } }) => ENDS.has(status));
	loaded.catch(() => undefined);
	await monitor.execute("migrate-incoming", { uri: `fd:${DESCRIPTOR}` }, FOR_EVER);
	const { data } = await loaded;
	if (data.status === "completed") return;
	// A QEMU that cannot load the state says why on its standard error and ends: that is the error to tell.
	await monitor.waitForEvent("SHUTDOWN", () => false, { deadlineMs: 5_000 }).catch(() => undefined);
	throw monitor.loss ?? new VirtError("OPERATION_FAILED", "job 'start' unexpectedly failed");
}
