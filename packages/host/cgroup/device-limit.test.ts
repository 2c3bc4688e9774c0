// Limits on single block devices, as written for either version of control groups.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import test from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import { blockDeviceNumber, setDeviceLimit } from "./device-limit.ts";
import { Cgroup } from "./group.ts";

test("limits on a device are written in either version's notation", () => {
	using folder = temporaryFolder();
	const groupOf = (version: 1 | 2, file: string): Cgroup => {
		mkdirSync(folder.file(`v${version}`), { recursive: true });
		writeFileSync(folder.file(`v${version}/${file}`), "");
		return new Cgroup({ version, folders: new Map([["blkio", folder.file(`v${version}`)]]) });
	};
	const content = (file: string): string => readFileSync(folder.file(file), "latin1");
	setDeviceLimit(groupOf(1, "blkio.throttle.read_iops_device"), "read_iops_sec", "8:0", 0n);
	assert.equal(content("v1/blkio.throttle.read_iops_device"), "8:0 0");
	const v2 = groupOf(2, "io.max");
	setDeviceLimit(v2, "write_bytes_sec", "8:16", 1000n);
	assert.equal(content("v2/io.max"), "8:16 wbps=1000");
	setDeviceLimit(v2, "write_bytes_sec", "8:16", 0n);
	assert.equal(content("v2/io.max"), "8:16 wbps=max");
	assert.throws(() => setDeviceLimit(v2, "weight", "8:0", 1n), isVirtError("OPERATION_UNSUPPORTED", "weight"));
});

test("what is no block device has no limits", () => {
	assert.throws(() => blockDeviceNumber("/dev/null"), isVirtError("INVALID_ARG", "must be a block device"));
	assert.throws(() => blockDeviceNumber("/nowhere"), isVirtError("SYSTEM_ERROR", "/nowhere"));
});
