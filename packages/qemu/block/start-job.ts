// Begins block jobs: noted first, so that a daemon killed in between knows of them.

import { VirtError } from "@virtkit/base/errors";
import { type DiskDef, isEmptySource } from "@virtkit/model/domain/disk";
import { formatNode, imageChain, topImage } from "../devices/disk-image.ts";
import type { QemuDomain } from "../domain/domain.ts";
import { diskByName } from "../domain/find-device.ts";
import type { Run } from "../domain/run.ts";
import { saveStatusNow } from "../lifecycle/status-file.ts";
import { type BlockJob, jobOfDisk } from "./job.ts";

/** The running guest's disk of that name. Throws INVALID_ARG. */
export function neededDisk(run: Run, path: string): DiskDef {
	const disk = diskByName(run.live.def, path);
	if (disk) return disk;
	throw new VirtError("INVALID_ARG", `No device found for specified path '${path}'`);
}

/** Throws libvirt's codes where a job is under way on the disk. */
export function refuseBusyDisk(run: Run, disk: DiskDef): void {
	const { dev } = disk.target;
	if (disk.mirror) throw new VirtError("BLOCK_COPY_ACTIVE", `disk '${dev}' already in active block job`);
	if (jobOfDisk(run, disk)) throw new VirtError("OPERATION_UNSUPPORTED", `disk '${dev}' already in active block job`);
}

/** The disk, where a job can begin on it. Throws libvirt's codes where one is under way or none is possible. */
export function idleDisk(run: Run, path: string): DiskDef {
	const disk = neededDisk(run, path);
	const { dev } = disk.target;
	refuseBusyDisk(run, disk);
	refuseUnfitDisk(disk);
	if (isEmptySource(disk.source))
		throw new VirtError("CONFIG_UNSUPPORTED", `disk ${dev} has no source file to be committed`);
	return disk;
}

/** Throws OPERATION_UNSUPPORTED where no job can be had on a disk of that kind. */
export function refuseUnfitDisk(disk: DiskDef): void {
	const { dev, bus } = disk.target;
	const refusal =
		bus === "sd"
			? `block jobs are not supported on disk '${dev}' using bus 'sd'`
			: disk.transient
				? `block jobs are not supported on transient disk '${dev}'`
				: disk.type === "vhostuser"
					? `block jobs are not supported on vhostuser disk '${dev}'`
					: undefined;
	if (refusal) throw new VirtError("OPERATION_UNSUPPORTED", refusal);
}

const MIB_SHIFT = 20n;
const LLONG_MAX = 2n ** 63n - 1n;

/** Bytes a second; 0 for no limit. Throws OVERFLOW. */
export function speedOf(bandwidth: bigint, isBytes: boolean): number {
	if (isBytes) return Number(bandwidth);
	if (bandwidth > LLONG_MAX >> MIB_SHIFT)
		throw new VirtError("OVERFLOW", `bandwidth must be less than ${LLONG_MAX >> MIB_SHIFT}`);
	return Number(bandwidth << MIB_SHIFT);
}

/** A name for a job on the disk: libvirt's `pull-vda-libvirt-1-format`. */
export const jobName = (kind: string, disk: DiskDef): string =>
	`${kind}-${disk.target.dev}-${formatNode(imageChain(disk)[0] ?? topImage(disk))}`;

/** Notes the job, then has QEMU begin it; where QEMU refuses there is none. */
export async function beginJob(
	domain: QemuDomain,
	run: Run,
	job: Omit<BlockJob, "state">,
	command: string,
	args: Readonly<Record<string, unknown>>,
): Promise<void> {
	run.blockJobs.set(job.name, { ...job, state: "running" });
	run.live.changed();
	try {
		await saveStatusNow(domain, run);
		await run.monitor.executeUntyped(command, { ...args, "job-id": job.name, "auto-dismiss": false });
	} catch (error) {
		run.blockJobs.delete(job.name);
		const disk = run.live.def.devices.disks.find(({ target }) => target.dev === job.disk);
		if (disk) delete disk.mirror;
		run.live.changed();
		await saveStatusNow(domain, run);
		throw error;
	}
}
