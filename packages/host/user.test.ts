import assert from "node:assert/strict";
import { statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import { restoreOwnership, takeOwnership } from "./ownership.ts";
import {
	findGroupByName,
	findUserById,
	findUserByName,
	parseGroupId,
	parseUserId,
	supplementaryGroups,
} from "./user.ts";

test("users and groups are found by name and number, in libvirt's notations", () => {
	assert.deepEqual(findUserByName("root"), { name: "root", uid: 0, gid: 0, home: "/root" });
	assert.equal(findUserById(0)?.name, "root");
	assert.equal(findUserByName("virtkit-nobody-at-all"), undefined);
	assert.equal(findGroupByName("root")?.gid, 0);
	assert.equal(parseUserId("root"), 0);
	assert.equal(parseUserId("+4711"), 4711);
	assert.equal(parseUserId("4711"), 4711);
	assert.equal(parseGroupId("+107"), 107);
	assert.throws(() => parseUserId("virtkit-nobody-at-all"), isVirtError("INVALID_ARG", "virtkit-nobody-at-all"));
	assert.throws(() => parseGroupId("-1"), isVirtError("INVALID_ARG", "-1"));
	assert.deepEqual(supplementaryGroups("virtkit-nobody-at-all"), []);
});

test("a file is given to another user and back to its former owner, also after it was replaced or removed", () => {
	using folder = temporaryFolder();
	const path = folder.file("disk");
	writeFileSync(path, "");
	const { uid, gid } = statSync(path);
	const former = takeOwnership(path, { uid: 4711, gid: 4712 });
	assert.deepEqual(former, { path, uid, gid });
	assert.deepEqual([statSync(path).uid, statSync(path).gid], [4711, 4712]);
	assert.equal(takeOwnership(path, { uid: 4711, gid: 4712 }), undefined);
	const gone = { path: folder.file("gone"), uid: 1, gid: 1 };
	assert.deepEqual(restoreOwnership([former, gone].filter((entry) => entry !== undefined)), []);
	assert.deepEqual([statSync(path).uid, statSync(path).gid], [uid, gid]);
	assert.throws(() => takeOwnership(folder.file("gone"), { uid: 1, gid: 1 }), isVirtError("SYSTEM_ERROR", "gone"));
});
