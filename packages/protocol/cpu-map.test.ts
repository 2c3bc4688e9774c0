// CPU maps: bits and bytes.

import assert from "node:assert/strict";
import test from "node:test";
import { decodeCpuMap, encodeCpuMap } from "./cpu-map.ts";

test("each CPU is one bit, the lowest first", () => {
	assert.deepEqual([...encodeCpuMap([0, 3, 9])], [0b1001, 0b10]);
	assert.deepEqual(decodeCpuMap(Uint8Array.of(0b1001, 0b10)), [0, 3, 9]);
});

test("a map of a given length leaves out what does not fit", () => {
	assert.deepEqual([...encodeCpuMap([1, 20], 2)], [2, 0]);
	assert.deepEqual([...encodeCpuMap([])], []);
});
