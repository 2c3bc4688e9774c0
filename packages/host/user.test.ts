// Tests of looking up users and groups.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
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
