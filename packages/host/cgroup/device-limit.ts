// Shares and limits of a control group on single block devices, in the notation of either version.

import { existsSync, type Stats, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VirtError } from "@virtkit/base/errors";
import { systemError } from "../system-error.ts";
import type { Cgroup } from "./group.ts";

/** kernel: cgroup-v1/blkio-controller.rst; cgroup-v2.rst, io.max. `key` is v2's name of the limit. */
const DEVICE_LIMITS = {
	weight: {
		v1: ["blkio.bfq.weight_device", "blkio.weight_device"],
		v2: ["io.bfq.weight", "io.weight"],
		key: undefined,
	},
	read_iops_sec: { v1: ["blkio.throttle.read_iops_device"], v2: ["io.max"], key: "riops" },
	write_iops_sec: { v1: ["blkio.throttle.write_iops_device"], v2: ["io.max"], key: "wiops" },
	read_bytes_sec: { v1: ["blkio.throttle.read_bps_device"], v2: ["io.max"], key: "rbps" },
	write_bytes_sec: { v1: ["blkio.throttle.write_bps_device"], v2: ["io.max"], key: "wbps" },
} as const;

export type DeviceLimitName = keyof typeof DEVICE_LIMITS;
export const DEVICE_LIMIT_NAMES = [
	"weight",
	"read_iops_sec",
	"write_iops_sec",
	"read_bytes_sec",
	"write_bytes_sec",
] as const satisfies readonly DeviceLimitName[];

/** "8:0" of a block device's file. Throws SYSTEM_ERROR where there is none, INVALID_ARG where it is something else. */
export function blockDeviceNumber(path: string): string {
	let stats: Stats;
	try {
		stats = statSync(path);
	} catch (error) {
		throw systemError(`Path '${path}' is not accessible`, error);
	}
	if (!stats.isBlockDevice()) throw new VirtError("INVALID_ARG", `Path '${path}' must be a block device`);
	// gnu_dev_major(3), gnu_dev_minor(3).
	const rdev = BigInt(stats.rdev);
	const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xffff_f000n);
	const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffff_ff00n);
	return `${major}:${minor}`;
}

/** Sets one limit on device `number` ("8:0"); 0 is none. Throws OPERATION_UNSUPPORTED where the kernel lacks the knob. */
export function setDeviceLimit(group: Cgroup, name: DeviceLimitName, number: string, value: bigint): void {
	const { v1, v2, key } = DEVICE_LIMITS[name];
	const files = group.place.version === 2 ? v2 : v1;
	const folder = group.folderOf("blkio");
	const path = files.map((file) => join(folder, file)).find((candidate) => existsSync(candidate));
	if (path === undefined)
		throw new VirtError(
			"OPERATION_UNSUPPORTED",
			`the host's kernel has no knob for ${name} of a device (${files.join(" or ")}) in control group '${folder}'`,
		);
	const isV2Limit = group.place.version === 2 && key !== undefined;
	const text = isV2Limit ? `${key}=${value === 0n ? "max" : value}` : `${value}`;
	try {
		writeFileSync(path, `${number} ${text}`);
	} catch (error) {
		throw systemError(`Unable to write '${number} ${text}' to '${path}'`, error);
	}
}
