// Scheduling policies, set on a thread of this process and read from the kernel.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { getScheduler, setScheduler } from "./scheduler.ts";

/** Takes a real-time policy, or is told that this may not; false where neither. */
function realTime(): boolean {
	try {
		setScheduler(0, "fifo", 1);
	} catch (error) {
		return isVirtError("SYSTEM_ERROR", "'fifo' (it takes CAP_SYS_NICE")(error);
	}
	return getScheduler(0) === "fifo";
}

test("a thread's scheduling policy is what was set, and priorities that Linux does not have are refused", () => {
	assert.equal(getScheduler(0), "other");
	try {
		setScheduler(0, "batch");
		assert.equal(getScheduler(0), "batch");
		assert.equal(realTime(), true);
		assert.throws(() => setScheduler(0, "fifo", 100), isVirtError("CONFIG_UNSUPPORTED", "100 out of range [1, 99]"));
		assert.throws(() => setScheduler(999_999_999, "batch"), isVirtError("SYSTEM_ERROR", "No such process"));
	} finally {
		setScheduler(0, "other");
	}
});
