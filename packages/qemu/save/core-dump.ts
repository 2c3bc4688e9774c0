// Core dumps: a guest's memory for a debugger, or its whole state, in a file; the guest goes on, is reset, or ends.

import { VirtError } from "@virtkit/base/errors";
import type { DumpGuestMemoryArg } from "@virtkit/qapi/schema.gen";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { announceStop } from "../lifecycle/end.ts";
import { startCpus } from "../lifecycle/stop-operations.ts";
import { asJob, type DomainJob, keepCompleted } from "./domain-job.ts";
import { checkStillThere, endStillGuest, resumeGuest, stopGuest } from "./hold-still.ts";
import { createFile, discardFile } from "./image-file.ts";
import { memoryDumpParams } from "./job-statistics.ts";
import { checkMigratable, migrateToFile } from "./migrate-to-file.ts";
import { dropFromCache } from "./page-cache.ts";

/** virDomainCoreDumpFlags. */
const DUMP_FLAG = { crash: 1, live: 2, bypassCache: 4, reset: 8, memoryOnly: 16 } as const;

/** QEMU's formats by virDomainCoreDumpFormat. */
const FORMATS = ["elf", "kdump-zlib", "kdump-lzo", "kdump-snappy", "win-dmp"] as const;

/** Name by which QEMU keeps the descriptor until it is used. */
const DESCRIPTOR = "dump";

/** Dumps the guest into a file. `format` is a virDomainCoreDumpFormat. */
export async function coreDump(
	driver: Driver,
	domain: QemuDomain,
	request: { readonly path: string; readonly format: number },
	flags: number,
): Promise<void> {
	refuseContradictions(flags);
	const run = domain.activeRun();
	const ran = domain.stateName === "running";
	await asJob(domain, "dump", async (job) => {
		const stopped = flags & DUMP_FLAG.live ? false : await stopGuest(driver, domain, run, "dump");
		try {
			await writeDump(driver, domain, run, job, request, flags);
		} catch (error) {
			// A live dump, too, has QEMU stop the guest towards its end.
			if (stopped || (ran && standsStill(domain))) await resumeGuest(driver, domain, run, "unpaused");
			throw error;
		}
		if (flags & DUMP_FLAG.bypassCache) await dropFromCache(request.path);
		if (flags & DUMP_FLAG.crash) await endStillGuest(driver, domain, run, "crashed");
		else await goOn(domain, run, ran, (flags & DUMP_FLAG.reset) !== 0);
	});
	if (flags & DUMP_FLAG.crash) announceStop(driver, domain, "crashed");
}

const standsStill = ({ stateName }: QemuDomain): boolean => stateName === "paused";

function refuseContradictions(flags: number): void {
	const exclusive = [
		["crash", "live"],
		["crash", "reset"],
		["live", "reset"],
	] as const;
	for (const [one, other] of exclusive)
		if (flags & DUMP_FLAG[one] && flags & DUMP_FLAG[other])
			throw new VirtError("INVALID_ARG", `${one} and ${other} flags are mutually exclusive`, { domain: "DOM" });
}

async function goOn(domain: QemuDomain, run: Run, ran: boolean, reset: boolean): Promise<void> {
	checkStillThere(domain, run);
	if (reset) await run.monitor.execute("system_reset");
	if (ran) await startCpus(run, "unpaused");
}

async function writeDump(
	driver: Driver,
	domain: QemuDomain,
	run: Run,
	job: DomainJob,
	{ path, format }: { readonly path: string; readonly format: number },
	flags: number,
): Promise<void> {
	const target = await createFile(path);
	try {
		if (flags & DUMP_FLAG.memoryOnly) await dumpMemory(domain, run, job, target.file.fd, format);
		else {
			if (format !== 0)
				throw new VirtError("OPERATION_UNSUPPORTED", "kdump-compressed format is only supported with memory-only dump");
			await checkMigratable(run);
			await migrateToFile(driver, domain, run, job, target.file.fd);
		}
		await target.file.close();
	} catch (error) {
		await discardFile(path, target);
		throw error;
	}
}

async function dumpMemory(domain: QemuDomain, run: Run, job: DomainJob, fd: number, number: number): Promise<void> {
	job.statistics = "memory-dump";
	const format = await memoryFormat(run, number);
	const { monitor } = run;
	await monitor.sendWithFd(fd, "getfd", { fdname: DESCRIPTOR });
	const ended = monitor.waitForEvent("DUMP_COMPLETED");
	ended.catch(() => undefined);
	await monitor.execute("dump-guest-memory", {
		paging: false,
		protocol: `fd:${DESCRIPTOR}`,
		detach: true,
		...(format === undefined ? {} : { format }),
	});
	const { result, error } = (await ended).data;
	if (result.status === "failed")
		throw new VirtError("OPERATION_FAILED", `memory-only dump failed${error ? `: ${error}` : " for unknown reason"}`);
	// No event tells of it: libvirt's does of jobs that migrate, and of backups, alone.
	keepCompleted(domain, memoryDumpParams(job, result));
}

/** QEMU's name of the format; undefined for ELF, which needs no naming. Throws INVALID_ARG where this QEMU lacks it. */
async function memoryFormat({ monitor }: Run, number: number): Promise<DumpGuestMemoryArg["format"]> {
	const format = FORMATS[number];
	if (format === undefined) throw new VirtError("INVALID_ARG", `unknown dumpformat '${number}'`);
	if (format === "elf") return undefined;
	const { formats } = await monitor.execute("query-dump-guest-memory-capability");
	if (!formats.includes(format))
		throw new VirtError("INVALID_ARG", `unsupported dumpformat '${format}' for this QEMU binary`);
	return format;
}
