// Ports of incoming migrations: another daemon on the host may be quicker, and the next one is taken.

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { bindPort } from "./address.ts";

const inUse = (port: number) => new Error(`Failed to find an available port at ${port}: Address already in use`);
const range = { min: 49_300, max: 49_390 };

test("a port that somebody took meanwhile is left for the next one", async () => {
	const tried: number[] = [];
	using found = await bindPort(range, async (port) => {
		tried.push(port);
		if (tried.length < 3) throw inUse(port);
	});
	assert.equal(tried.length, 3);
	assert.equal(found.port, tried[2]);
	assert.deepEqual(
		tried,
		tried.toSorted((a, b) => a - b),
	);
	using other = await bindPort(range, async () => undefined);
	assert.notEqual(other.port, found.port);
});

test("a port that was named is the only one tried, and any other failure is nobody's port", async () => {
	const named = { min: range.max, max: range.max };
	await assert.rejects(
		bindPort(named, async (port) => Promise.reject(inUse(port))),
		/Address already in use/,
	);
	await assert.rejects(
		bindPort(range, async () => Promise.reject(new Error("no such address"))),
		/no such address/,
	);
});

test("a range without a free port is said to have none", async () => {
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	try {
		// Its port and the one after it, which somebody takes meanwhile.
		const busy = { min: port, max: port + 1 };
		await assert.rejects(
			bindPort(busy, async (tried) => Promise.reject(inUse(tried))),
			/Unable to find an unused port in range 'migration'/,
		);
	} finally {
		server.close();
	}
});
