// I/O threads of running guests and of stored definitions, on real QEMU.

import assert from "node:assert/strict";
import test from "node:test";
import { param, type TypedParam } from "@virtkit/core/typed-params";
import { getAffinity } from "@virtkit/host/native";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver, tinyGuest } from "@virtkit/testing/qemu-driver";
import type { QemuDomain } from "../domain/domain.ts";

const PAUSED = 1;
const LIVE = 1;
const CONFIG = 2;
const BOTH = 3;

test("I/O threads come to a running guest, are found by a new driver, and go", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(tinyGuest("threads"));
	await tests.run("start", domain, PAUSED);
	const ids = async (of: QemuDomain, flags: number) => (await tests.run("iothreads", of, flags)).map(({ id }) => id);
	await tests.run("addIothread", domain, BOTH, 3);
	await tests.run("addIothread", domain, LIVE, 5);
	assert.deepEqual((await ids(domain, LIVE)).sort(), [3, 5]);
	assert.deepEqual(await ids(domain, CONFIG), [3]);
	await assert.rejects(
		tests.run("addIothread", domain, BOTH, 3),
		isVirtError("INVALID_ARG", "an IOThread is already using iothread_id '3'"),
	);
	await tests.restart();
	const adopted = tests.driver.domains.byName("threads") as QemuDomain;
	const run = adopted.activeRun();
	assert.deepEqual([...run.iothreadThreads.keys()].sort(), [3, 5]);
	await tests.run("deleteIothread", adopted, LIVE, 3);
	assert.deepEqual(await ids(adopted, LIVE), [5]);
	assert.deepEqual(await ids(adopted, CONFIG), [3]);
	await assert.rejects(
		tests.run("deleteIothread", adopted, LIVE, 3),
		isVirtError("INVALID_ARG", "cannot find IOThread '3' in iothreadids list"),
	);
	await assert.rejects(tests.run("addIothread", adopted, LIVE, 0), isVirtError("INVALID_ARG", "invalid value of 0"));
});

test("an I/O thread is pinned, polls and has as many workers as told", async () => {
	await using tests = await TestDriver.start();
	const domain = await tests.define(tinyGuest("pinned", { more: "<vcpu>1</vcpu><iothreads>1</iothreads>" }));
	await tests.run("start", domain, PAUSED);
	const run = domain.activeRun();
	await tests.run("pinIothread", domain, BOTH, 1, [0]);
	assert.deepEqual(getAffinity(run.iothreadThreads.get(1) ?? 0), [0]);
	for (const flags of [LIVE, CONFIG])
		assert.deepEqual(await tests.run("iothreads", domain, flags), [{ id: 1, cpus: [0] }]);
	const set = (flags: number, ...params: TypedParam[]) => tests.run("setIothreadParameters", domain, flags, 1, params);
	await set(LIVE, param.ullong("poll_max_ns", 1000n), param.int("thread_pool_max", 8), param.int("thread_pool_min", 4));
	const [thread] = await run.monitor.execute("query-iothreads");
	assert.equal(thread?.["poll-max-ns"], 1000);
	assert.equal(await run.monitor.execute("qom-get", { path: "/objects/iothread1", property: "thread-pool-max" }), 8);
	assert.match(run.live.format(), /thread_pool_min='4' thread_pool_max='8'/);
	await assert.rejects(set(CONFIG, param.uint("poll_grow", 1)), isVirtError("OPERATION_UNSUPPORTED", "polling"));
	await assert.rejects(set(LIVE, param.int("thread_pool_min", 9)), isVirtError("OPERATION_INVALID", "(9) can't be"));
	await assert.rejects(set(LIVE, param.int("thread_pool_max", 0)), isVirtError("CONFIG_UNSUPPORTED", "positive"));
	await assert.rejects(set(LIVE, param.int("thread_pool_max", -1)), isVirtError("OPERATION_INVALID", "live change"));
});

test("an I/O thread that serves a controller stays", async () => {
	await using tests = await TestDriver.start();
	const devices = "<controller type='scsi' model='virtio-scsi'><driver iothread='1'/></controller>";
	const xml = tinyGuest("serving", { more: "<vcpu>1</vcpu><iothreads>1</iothreads>" });
	const domain = await tests.define(xml.replace("</devices>", `${devices}</devices>`));
	await assert.rejects(
		tests.run("deleteIothread", domain, CONFIG, 1),
		isVirtError("INVALID_ARG", "cannot remove IOThread '1' since it is being used by controller"),
	);
});
