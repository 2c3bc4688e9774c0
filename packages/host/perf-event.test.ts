// Counters of this very process.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { openPerfEvent } from "./perf-event.ts";

test("a counter counts what the process does, or the kernel's refusal is the error", () => {
	let counter: ReturnType<typeof openPerfEvent>;
	try {
		counter = openPerfEvent("task_clock", process.pid);
	} catch (error) {
		// Hosts may forbid it (kernel.perf_event_paranoid, seccomp).
		assert.ok(isVirtError("SYSTEM_ERROR", "unable to open host cpu perf event for task_clock")(error));
		return;
	}
	using own = counter;
	const before = own.read();
	for (let work = 0; work < 1e6; work++) Math.sqrt(work);
	assert.ok(own.read() > before);
});

test("a process that is gone cannot be counted for", () => {
	assert.throws(() => openPerfEvent("page_faults", 2 ** 22 + 1), isVirtError("SYSTEM_ERROR", "page_faults"));
});

test("what the processor lacks is not supported", { skip: existsSync("/sys/devices/intel_cqm") }, () => {
	assert.throws(() => openPerfEvent("mbmt", process.pid), isVirtError("ARGUMENT_UNSUPPORTED", "mbmt"));
});
