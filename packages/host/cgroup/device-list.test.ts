// Device lists of groups, tried by a member of theirs: on the hierarchies that this machine has, of either version.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type DeviceRule, deviceNumbers, setDeviceList } from "./device-list.ts";
import { whyNoDevicePrograms } from "./device-program.ts";
import { Cgroup } from "./group.ts";
import { readCgroupMounts } from "./mounts.ts";

/** Opens each node in each way as a member of the group, and prints what could not be opened. */
const TRY = `
import os, sys
open(sys.argv[1], "w").write("0")
for path in sys.argv[2:]:
    for way, flags in (("r", os.O_RDONLY), ("w", os.O_WRONLY)):
        try: os.close(os.open(path, flags))
        except PermissionError: print(way + path[5:], end=" ")
`;

const { v1, v2 } = readCgroupMounts();
const HIERARCHIES = [
	{ version: 1, folder: v1.get("devices")?.folder },
	{ version: 2, folder: v2?.folder },
] as const;

const rule = (path: string, access: string): DeviceRule => {
	const numbers = deviceNumbers(path);
	assert.ok(numbers);
	return { ...numbers, access };
};

for (const { version, folder } of HIERARCHIES) {
	const skip =
		process.getuid?.() !== 0
			? "needs root"
			: folder === undefined
				? "not mounted here"
				: version === 2
					? whyNoDevicePrograms(folder)
					: undefined;
	test(`members of a v${version} group use what its list allows, as it is now, and nothing else`, {
		skip: skip ?? false,
	}, () => {
		const own = join(folder ?? "", `virtkit-test-devices-${process.pid}`);
		mkdirSync(own);
		try {
			const group = new Cgroup({ version, folders: new Map([["devices", own]]) });
			const refused = (): string => {
				const nodes = ["/dev/null", "/dev/zero", "/dev/full", "/dev/urandom"];
				const { stdout, stderr } = spawnSync("/usr/bin/python3", ["-c", TRY, join(own, "cgroup.procs"), ...nodes]);
				assert.equal(stderr.toString(), "");
				return stdout.toString().trim();
			};
			assert.equal(refused(), "");
			setDeviceList(group, [rule("/dev/null", "rw"), rule("/dev/zero", "r"), rule("/dev/urandom", "rw")]);
			assert.equal(refused(), "wzero rfull wfull");
			setDeviceList(group, [
				rule("/dev/null", "rw"),
				rule("/dev/full", "w"),
				rule("/dev/full", "r"),
				rule("/dev/zero", "w"),
			]);
			assert.equal(refused(), "rzero rurandom wurandom");
			setDeviceList(group, [{ type: "c", major: 1, minor: undefined, access: "r" }]);
			assert.equal(refused(), "wnull wzero wfull wurandom");
			setDeviceList(group, [{ type: "b", major: 1, minor: undefined, access: "rwm" }]);
			assert.equal(refused(), "rnull wnull rzero wzero rfull wfull rurandom wurandom");
		} finally {
			rmdirSync(own);
		}
	});
}

test("a device node's numbers are the kernel's, and a file that is none has none", () => {
	assert.deepEqual(deviceNumbers("/dev/null"), { type: "c", major: 1, minor: 3 });
	assert.equal(deviceNumbers("/etc/passwd"), undefined);
	assert.throws(() => deviceNumbers("/dev/there-is-none"), { code: "ENOENT" });
});
