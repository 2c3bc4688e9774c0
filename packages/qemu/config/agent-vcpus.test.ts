// Which CPUs a guest is told to turn on and off.

import assert from "node:assert/strict";
import test from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { planVcpus } from "./agent-vcpus.ts";

const vcpu = (id: number, online: boolean, offlinable = true) => ({
	"logical-id": id,
	online,
	"can-offline": offlinable,
});

test("CPUs that are off are turned on, the lowest first", () => {
	assert.deepEqual(planVcpus([vcpu(0, true, false), vcpu(1, false), vcpu(2, false)], 2), [
		{ "logical-id": 1, online: true },
	]);
	assert.deepEqual(planVcpus([vcpu(0, true, false), vcpu(1, true)], 2), []);
});

test("CPU 0 stays on even where the guest says that it could be turned off", () => {
	assert.deepEqual(planVcpus([vcpu(0, true), vcpu(1, true), vcpu(2, true)], 1), [
		{ "logical-id": 1, online: false },
		{ "logical-id": 2, online: false },
	]);
});

test("what the guest cannot do is refused", () => {
	assert.throws(() => planVcpus([vcpu(0, true)], 2), isVirtError("INTERNAL_ERROR", "reports less cpu"));
	assert.throws(
		() => planVcpus([vcpu(0, true, false), vcpu(1, true, false)], 1),
		isVirtError("INVALID_ARG", "Cannot offline enough CPUs"),
	);
	assert.throws(() => planVcpus([vcpu(0, false, false)], 1), isVirtError("INTERNAL_ERROR", "Invalid data"));
});
