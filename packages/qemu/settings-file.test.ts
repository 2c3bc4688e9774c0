// Settings that are virtkit's own, read from qemu.conf.

import assert from "node:assert/strict";
import test from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { parseSettings } from "./settings-file.ts";

const read = (text: string) => parseSettings(text, "qemu.conf", (key) => assert.fail(key));

test("overcommit is declared as numbers, with a decimal point as text", () => {
	const text = `memory_overcommit_ratio = "1.5"\ncpu_overcommit_ratio = 4\nmemory_balancer = 1\nmemory_floor_percent = 0\n`;
	assert.deepEqual(read(text), {
		memoryOvercommitRatio: 1.5,
		cpuOvercommitRatio: 4,
		memoryBalancer: true,
		memoryFloorPercent: 0,
	});
});

test("what is no number, or none that makes sense, is refused", () => {
	for (const value of ['"much"', "0", '""', "-1"])
		assert.throws(
			() => read(`memory_overcommit_ratio = ${value}`),
			isVirtError("CONF_SYNTAX", "is not a number above 0"),
			value,
		);
});
