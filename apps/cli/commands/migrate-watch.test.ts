// The line that a migration shows while it goes.

import assert from "node:assert/strict";
import test from "node:test";
import { progressLine } from "./migrate-watch.ts";

const MIB = 1048576n;

test("it tells what is left, both speeds, when it should end and the downtime", () => {
	const parameters = {
		data_total: 1000n * MIB,
		data_remaining: 250n * MIB,
		memory_bps: 60n * MIB,
		memory_dirty_rate: 2560n,
		memory_page_size: 4096n,
		downtime: 30n,
	};
	assert.equal(
		progressLine(parameters),
		"Migration: 75 %, 250.000 MiB left, 60.000 MiB/s, the guest writes 10.000 MiB/s, about 5 s to go, downtime 30 ms",
	);
});

test("a guest that writes faster than is sent has no end in sight", () => {
	const parameters = {
		data_total: 4096n,
		data_remaining: 4096n,
		memory_bps: 4096n,
		memory_dirty_rate: 2n,
		memory_page_size: 4096n,
	};
	assert.match(progressLine(parameters), /no end in sight/);
});

test("what is not told is left out", () => {
	assert.equal(progressLine({}), "Migration: 0 %, 0.000 B left");
});
