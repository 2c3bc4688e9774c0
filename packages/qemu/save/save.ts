// Saves a running guest into a file and ends it: the guest stands still, QEMU writes its state behind our head, and only then it counts.

import { VirtError } from "@virtkit/base/errors";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { announceStop } from "../lifecycle/end.ts";
import { packTo, saveFormat } from "./compress.ts";
import { asJob, type DomainJob } from "./domain-job.ts";
import { checkStillThere, endStillGuest, resumeGuest, stopGuest } from "./hold-still.ts";
import { EMPTY_COOKIE, textForImage } from "./image-definition.ts";
import { completeImage, createFile, discardFile, type NewFile, writeHead } from "./image-file.ts";
import { decodeSaveHeader, encodeSaveImage, type SaveFormat } from "./image-format.ts";
import { checkMigratable, migrateToFile } from "./migrate-to-file.ts";
import { dropFromCache } from "./page-cache.ts";

/** virDomainSaveRestoreFlags. */
export const SAVE_FLAG = { bypassCache: 1, running: 2, paused: 4, resetNvram: 8 } as const;

export interface SaveRequest {
	readonly path: string;
	/** Stands in for the guest's definition in the image. */
	readonly xml?: string | undefined;
	/** How the image is packed: raw unless told. */
	readonly format?: string | undefined;
}

/** Refuses flags that contradict each other. */
export function checkSaveFlags(flags: number, api: string): void {
	if (flags & SAVE_FLAG.running && flags & SAVE_FLAG.paused)
		throw new VirtError(
			"INVALID_ARG",
			`Flags 'VIR_DOMAIN_SAVE_RUNNING' and 'VIR_DOMAIN_SAVE_PAUSED' are mutually exclusive in ${api}`,
			{ domain: "DOM" },
		);
}

/** Saves the guest. Where that fails or is aborted, the guest goes on as it was and no image is left. */
export async function saveGuest(
	driver: Driver,
	domain: QemuDomain,
	request: SaveRequest,
	flags: number,
): Promise<void> {
	const run = domain.activeRun();
	const format = saveFormat(request.format);
	await asJob(domain, "save", async (job) => {
		await checkMigratable(run);
		const ran = await stopGuest(driver, domain, run, "save");
		try {
			const running = flags & SAVE_FLAG.running ? true : flags & SAVE_FLAG.paused ? false : ran;
			await writeSaveImage(driver, domain, run, job, { ...request, format, running });
		} catch (error) {
			if (ran) await resumeGuest(driver, domain, run, "save-canceled");
			throw error;
		}
		if (flags & SAVE_FLAG.bypassCache) await dropFromCache(request.path);
		await endStillGuest(driver, domain, run, "saved");
	});
	announceStop(driver, domain, "saved");
}

/** What an image of a guest that stands still is to be. */
interface ImageWish extends SaveRequest {
	readonly format: SaveFormat;
	readonly running: boolean;
}

/** Writes the guest's state into a file; the guest stands still when this is done. What fails leaves no file. */
export async function writeSaveImage(
	driver: Driver,
	domain: QemuDomain,
	run: Run,
	job: DomainJob,
	wish: ImageWish,
): Promise<void> {
	const xml = await textForImage(driver, run, wish.xml);
	const head = encodeSaveImage({ ...wish, complete: false }, { xml, cookie: EMPTY_COOKIE });
	const target = await createFile(wish.path);
	try {
		await writeHead(wish.path, target.file, head);
		await writeState(driver, domain, run, job, target, wish.format);
		checkStillThere(domain, run);
		await completeImage(wish.path, target.file, decodeSaveHeader(head));
		await target.file.close();
	} catch (error) {
		await discardFile(wish.path, target);
		throw error;
	}
}

async function writeState(
	driver: Driver,
	domain: QemuDomain,
	run: Run,
	job: DomainJob,
	{ file }: NewFile,
	format: SaveFormat,
): Promise<void> {
	if (format === "raw") return migrateToFile(driver, domain, run, job, file.fd);
	await using packer = await packTo(format, file.fd, run.paths.work);
	await migrateToFile(driver, domain, run, job, packer.fd, () => packer.handedOver());
	await packer.finish();
}
