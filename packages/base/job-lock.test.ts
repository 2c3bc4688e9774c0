// The job lock: one at a time, what passes an asynchronous job, deadlines and aborts.

import assert from "node:assert/strict";
import test from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { JobLock } from "./job-lock.ts";

test("jobs run one at a time, in the order they came", async () => {
	const lock = new JobLock();
	const order: number[] = [];
	const work = async (number: number): Promise<void> => {
		using _job = await lock.begin("modify", `job ${number}`);
		order.push(number);
		await turn();
		order.push(number);
	};
	await Promise.all([work(1), work(2), work(3)]);
	assert.deepEqual(order, [1, 1, 2, 2, 3, 3]);
	assert.equal(lock.free, true);
});

test("during an asynchronous job queries and destroy pass, changes wait", async () => {
	const lock = new JobLock();
	const save = await lock.beginAsync("save", "virDomainSave");
	assert.equal(lock.asyncJob, "save");
	(await lock.begin("query", "info"))[Symbol.dispose]();
	(await lock.begin("destroy", "destroy"))[Symbol.dispose]();
	let changed = false;
	const change = lock.begin("modify", "change").then((job) => {
		changed = true;
		job[Symbol.dispose]();
	});
	await turn();
	assert.equal(changed, false);
	save[Symbol.dispose]();
	await change;
	assert.equal(changed, true);
});

test("an asynchronous job may let more kinds through", async () => {
	const lock = new JobLock();
	using _job = await lock.beginAsync("migration-out", "virDomainMigrate", {
		passes: ["suspend"],
	});
	(await lock.begin("suspend", "virDomainSuspend"))[Symbol.dispose]();
});

test("abort passes even while a short job of the asynchronous one holds the lock", async () => {
	const lock = new JobLock();
	using _job = await lock.beginAsync("dump", "virDomainCoreDump");
	using _inner = await lock.begin("query", "query");
	(await lock.begin("abort", "virDomainAbortJob"))[Symbol.dispose]();
});

test("a wait ends at its deadline and names the holder", async () => {
	const lock = new JobLock();
	using _job = await lock.begin("modify", "virDomainReboot");
	const keepAlive = setTimeout(() => {}, 1000);
	await assert.rejects(lock.begin("query", "virDomainGetInfo", { waitMs: 1 }), {
		code: "OPERATION_TIMEOUT",
		message: /held by virDomainReboot/,
	});
	clearTimeout(keepAlive);
});

test("a wait ends when its caller goes away", async () => {
	const lock = new JobLock();
	const controller = new AbortController();
	{
		using _job = await lock.begin("modify", "change");
		const waiting = lock.begin("query", "info", { signal: controller.signal });
		controller.abort(new Error("client left"));
		await assert.rejects(waiting, /client left/);
	}
	assert.equal(lock.free, true);
});
