// Block jobs and what else is done to the images of a running guest's disks: the operations.

import { VirtError } from "@virtkit/base/errors";
import type { BlockJobInfo, DomainOperations } from "@virtkit/core/domain-operations";
import { isEmptySource } from "@virtkit/model/domain/disk";
import { xmlElement } from "@virtkit/xml/node";
import { writeXml } from "@virtkit/xml/write";
import { formatNode, topImage } from "../devices/disk-image.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { saveStatusNow } from "../lifecycle/status-file.ts";
import { carryAtPivot } from "./carry-bitmaps.ts";
import { COPY, copy } from "./copy.ts";
import { finishJob } from "./finish.ts";
import { type BlockJob, JOB_TYPE, jobOfDisk, neededJob } from "./job.ts";
import { commit, pull } from "./pull-and-commit.ts";
import { neededDisk, speedOf } from "./start-job.ts";
import { setThreshold } from "./threshold.ts";

/** virDomainBlockJobAbortFlags. */
export const ABORT = { async: 1, pivot: 2 } as const;
/** virDomainBlockRebaseFlags. */
const REBASE = { shallow: 1, reuse: 2, raw: 4, copy: 8, relative: 16, device: 32, bytes: 64 } as const;
const BYTES = 1;
const MIB = 1024 * 1024;

/** Ends the job of the disk: gives it up, or pivots to what it made. The caller holds the domain's lock. */
export async function endBlockJob(driver: Driver, domain: QemuDomain, path: string, flags: number): Promise<void> {
	const run = domain.activeRun();
	const disk = neededDisk(run, path);
	const job = neededJob(run, disk);
	if (job.state === "aborting" || job.state === "pivoting")
		throw new VirtError("OPERATION_INVALID", `block job on disk '${disk.target.dev}' is still being ended`);
	const isPivot = (flags & ABORT.pivot) !== 0;
	const before = job.state;
	if (isPivot) checkPivot(job);
	const { promise, resolve } = Promise.withResolvers<void>();
	// QEMU's word that it is done may come before its answer.
	if (!(flags & ABORT.async)) run.blockJobWaits.set(job.name, resolve);
	const lost = (): void => resolve();
	run.monitor.once("close", lost);
	try {
		job.state = isPivot ? "pivoting" : "aborting";
		if (disk.mirror) disk.mirror.ready = isPivot ? "pivot" : "abort";
		run.live.changed();
		await saveStatusNow(domain, run);
		if (isPivot) await carryAtPivot(run, disk, job);
		if (isPivot) await run.monitor.execute("job-complete", { id: job.name });
		else await run.monitor.execute("block-job-cancel", { device: job.name });
	} catch (error) {
		run.blockJobWaits.delete(job.name);
		run.monitor.off("close", lost);
		job.state = before;
		if (disk.mirror && before === "ready") disk.mirror.ready = "yes";
		else if (disk.mirror) delete disk.mirror.ready;
		run.live.changed();
		throw error;
	}
	if (flags & ABORT.async) return;
	await promise;
	run.blockJobWaits.delete(job.name);
	run.monitor.off("close", lost);
	if (run.monitor.loss) throw run.monitor.loss;
	const failure = await finishJob(driver, domain, run, job);
	if (isPivot && failure !== undefined)
		throw new VirtError("OPERATION_FAILED", `block job '${job.name}' failed while pivoting: ${failure}`);
}

function checkPivot(job: BlockJob): void {
	if (job.state !== "ready")
		throw new VirtError("BLOCK_COPY_ACTIVE", `block job '${job.name}' not ready for pivot yet`);
	if (job.type !== "copy" && job.type !== "active-commit")
		throw new VirtError("OPERATION_INVALID", `job type '${job.type}' does not support pivot`);
}

/** Progress as clients that poll for `cur == end` expect it: equal only where QEMU says that the job is ready. */
async function info(domain: QemuDomain, path: string, flags: number): Promise<BlockJobInfo | undefined> {
	const run = domain.activeRun();
	const job = jobOfDisk(run, neededDisk(run, path));
	if (job === undefined) return undefined;
	const told = (await run.monitor.execute("query-block-jobs")).find(({ device }) => device === job.name);
	const type = JOB_TYPE[job.type];
	if (told === undefined) return { type, bandwidth: 0n, cur: 0n, end: 1n };
	const speed = flags & BYTES ? told.speed : Math.ceil(told.speed / MIB);
	let { offset: cur, len: end } = told;
	if (cur === 0 && end === 0) {
		end = 1;
		cur = told.ready ? 1 : 0;
	} else if (!told.ready && cur === end && cur > 0) cur--;
	return { type, bandwidth: BigInt(speed), cur: BigInt(cur), end: BigInt(end) };
}

async function setSpeed(domain: QemuDomain, path: string, bandwidth: bigint, flags: number): Promise<void> {
	const speed = speedOf(bandwidth, (flags & BYTES) !== 0);
	const run = domain.activeRun();
	const job = neededJob(run, neededDisk(run, path));
	await run.monitor.execute("block-job-set-speed", { device: job.name, speed });
}

async function rebase(
	driver: Driver,
	domain: QemuDomain,
	request: { path: string; base: string | undefined; bandwidth: bigint },
	flags: number,
): Promise<void> {
	const { path, base, bandwidth } = request;
	if (!(flags & REBASE.copy)) return pull(driver, domain, path, base, bandwidth, flags);
	const speed = speedOf(bandwidth, (flags & REBASE.bytes) !== 0);
	if (flags & REBASE.relative)
		throw new VirtError("ARGUMENT_UNSUPPORTED", "Relative backing during copy not supported yet");
	const isDevice = (flags & REBASE.device) !== 0;
	const xml = writeXml(
		xmlElement("disk", { type: isDevice ? "block" : "file" }, [
			flags & REBASE.raw ? xmlElement("driver", { type: "raw" }) : undefined,
			xmlElement("source", isDevice ? { dev: base } : { file: base }),
		]),
	);
	await copy(driver, domain, { path, xml, bandwidth: speed }, flags & (COPY.shallow | COPY.reuse));
}

/** virDomainBlockResizeFlags: bytes 1, to the capacity of the device below 2. */
async function resize(domain: QemuDomain, path: string, size: bigint, flags: number): Promise<void> {
	const run = domain.activeRun();
	const disk = neededDisk(run, path);
	if (disk.type === "vhostuser")
		throw new VirtError("OPERATION_UNSUPPORTED", "block resize is not supported for vhostuser disk");
	if (isEmptySource(disk.source) || disk.readonly)
		throw new VirtError("OPERATION_UNSUPPORTED", `can't resize empty or readonly disk '${disk.target.dev}'`);
	let bytes = flags & BYTES ? size : size * 1024n;
	if (bytes > 2n ** 63n - 1n) throw new VirtError("OVERFLOW", `size must be less than ${(2n ** 64n - 1n) / 1024n}`);
	if (disk.driver.type === "qcow2" || disk.driver.type === "qed") bytes = ((bytes + 511n) / 512n) * 512n;
	await run.monitor.execute("block_resize", { "node-name": formatNode(topImage(disk)), size: Number(bytes) });
}

type BlockOperations = Pick<
	DomainOperations<QemuDomain>,
	| "blockJobAbort"
	| "blockJobInfo"
	| "blockJobSetSpeed"
	| "blockPull"
	| "blockRebase"
	| "blockCommit"
	| "blockCopy"
	| "blockResize"
	| "setBlockThreshold"
>;

export const blockOperations = (driver: Driver): BlockOperations => ({
	blockJobAbort: (domain, path, flags) => endBlockJob(driver, domain, path, flags),
	blockJobInfo: (domain, path, flags) => info(domain, path, flags),
	blockJobSetSpeed: (domain, path, bandwidth, flags) => setSpeed(domain, path, bandwidth, flags),
	blockPull: (domain, path, bandwidth, flags) => pull(driver, domain, path, undefined, bandwidth, flags),
	blockRebase: (domain, request, flags) => rebase(driver, domain, request, flags),
	blockCommit: (domain, request, flags) => commit(driver, domain, request, flags),
	blockCopy: (domain, request, flags) => copy(driver, domain, request, flags),
	blockResize: (domain, path, size, flags) => resize(domain, path, size, flags),
	setBlockThreshold: (domain, device, threshold) => setThreshold(domain.activeRun(), device, threshold),
});
