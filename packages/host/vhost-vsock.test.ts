// Addresses of guests' AF_VSOCK sockets, and what a host without the kernel's server answers.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { firstFreeCid, openVhostVsock } from "./vhost-vsock.ts";

test("the lowest address that nobody has is chosen, beginning after the host's", () => {
	const taken = new Set([3, 4, 6]);
	const asked: number[] = [];
	const claim = (cid: number): boolean => {
		asked.push(cid);
		if (taken.has(cid)) return false;
		taken.add(cid);
		return true;
	};
	assert.equal(firstFreeCid(claim), 5);
	assert.deepEqual(asked, [3, 4, 5]);
	assert.equal(firstFreeCid(claim), 7);
});

test("a device that is missing or serves no sockets is told of with its name, and nothing stays open", () => {
	const open = (): number => readdirSync("/proc/self/fd").length;
	assert.throws(
		() => openVhostVsock(undefined, "/dev/no-such-vsock"),
		isVirtError("SYSTEM_ERROR", "unable to open vhost-vsock device '/dev/no-such-vsock': No such file or directory"),
	);
	const before = open();
	assert.throws(
		() => openVhostVsock(7, "/dev/null"),
		isVirtError("SYSTEM_ERROR", "failed to set guest cid 7: Inappropriate ioctl for device"),
	);
	assert.equal(open(), before);
});
