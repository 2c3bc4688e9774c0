// Metrics of real guests at a real daemon, read by a strict reader and by Prometheus's own Python library.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { connect } from "@virtkit/client/sdk/connection";
import { findProcesses } from "@virtkit/host/process";
import { startDaemon, type TestDaemon } from "@virtkit/testing/daemon";
import { readExposition } from "@virtkit/testing/exposition";
import { outputOf } from "@virtkit/testing/run";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";

let daemon: TestDaemon;
const socketOf = (): string => daemon.file("run/http.sock");

before(async () => {
	daemon = await startDaemon();
	mkdirSync(daemon.file("etc"), { recursive: true });
	writeFileSync(daemon.file("etc/virtkit.conf"), `[http]\nlisten = "${socketOf()}"\n`);
	await daemon.stop();
	await daemon.start();
});

after(() => daemon[Symbol.asyncDispose]());

/** A page, asked for through the UNIX socket. */
async function page(
	path = "/metrics",
): Promise<{ status: number | undefined; text: string; type: string | undefined }> {
	const { promise, resolve, reject } = Promise.withResolvers<import("node:http").IncomingMessage>();
	request({ socketPath: socketOf(), path, agent: false }, resolve).on("error", reject).end();
	const answer = await promise;
	let text = "";
	for await (const piece of answer.setEncoding("utf8")) text += piece as string;
	return { status: answer.statusCode, text, type: answer.headers["content-type"] };
}

const guest = (name: string, disk: string): string => `<domain type='qemu'>
	<name>${name}</name><memory unit='MiB'>64</memory><vcpu>2</vcpu><iothreads>1</iothreads>
	<os><type machine='q35'>hvm</type></os>
	<devices>
		<disk type='file' device='disk'><source file='${disk}'/><target dev='vda' bus='virtio'/></disk>
		<memballoon model='virtio'/>
	</devices>
</domain>`;

test("figures of guests that run and that do not are what domstats tells, in base units", async () => {
	await using connection = await connect(daemon.uri);
	const disk = daemon.file("lib/disk.img");
	execFileSync("qemu-img", ["create", "-q", disk, "1M"]);
	const running = await connection.domains.define(guest("running", disk));
	const off = await connection.domains.define(guest("off", disk));
	await running.start({ paused: true });
	const { status, text, type } = await page();
	assert.deepEqual([status, type], [200, "text/plain; version=0.0.4; charset=utf-8"]);
	const families = readExposition(text);
	const samplesOf = (name: string): [string | undefined, number][] =>
		(families.get(name)?.samples ?? []).map(({ labels, value }) => [labels.domain, value]);
	assert.deepEqual(samplesOf("virtkit_domain_state"), [
		["off", 5],
		["running", 3],
	]);
	assert.deepEqual(samplesOf("virtkit_domain_memory_maximum_bytes"), [
		["off", 64 * 1024 ** 2],
		["running", 64 * 1024 ** 2],
	]);
	assert.deepEqual(samplesOf("virtkit_domain_block_capacity_bytes").at(-1), ["running", 1024 ** 2]);
	assert.deepEqual(samplesOf("virtkit_domain_block_read_requests_total"), [["running", 0]]);
	assert.equal(families.get("virtkit_domain_vcpu_delay_seconds_total")?.samples.length, 2);
	assert.ok((samplesOf("virtkit_domain_cpu_seconds_total")[0]?.[1] ?? 0) > 0);
	const domains = new Map(families.get("virtkit_domains")?.samples.map(({ labels, value }) => [labels.state, value]));
	assert.deepEqual([domains.get("paused"), domains.get("shutoff")], [1, 1]);
	const calls = families.get("virtkit_daemon_calls_total")?.samples ?? [];
	assert.equal(calls.find(({ labels }) => labels.procedure === "DOMAIN_DEFINE_XML_FLAGS")?.value, 2);
	assert.equal(families.get("virtkit_daemon_clients")?.samples[0]?.value, 1);
	await running.destroy();
	for (const domain of [running, off]) await domain.undefine();
});

test("Prometheus's own reader takes the page", async () => {
	using folder = temporaryFolder();
	writeFileSync(folder.file("page"), (await page()).text);
	const script = `
import sys
from prometheus_client.parser import text_string_to_metric_families
for family in text_string_to_metric_families(open(sys.argv[1]).read()): print(family.name, family.type, len(family.samples))`;
	const read = await outputOf("/usr/bin/python3", ["-c", script, folder.file("page")]);
	assert.match(read, /^process_cpu_seconds counter 1$/m);
	assert.match(read, /^virtkit_daemon_event_loop_delay_seconds summary 5$/m);
});

test("a daemon that is killed leaves a socket that the next one takes over, and one that ends leaves none", async () => {
	await daemon.stop("SIGKILL");
	await daemon.start();
	assert.equal((await page("/")).status, 200);
	await daemon.stop();
	assert.ok(!existsSync(socketOf()));
	await daemon.start();
});

test("a guest whose QEMU does not answer is left out, and the others are told of", async () => {
	await using connection = await connect(daemon.uri);
	const disk = daemon.file("lib/other.img");
	execFileSync("qemu-img", ["create", "-q", disk, "1M"]);
	const domain = await connection.domains.create(guest("stuck", disk), { paused: true });
	const other = await connection.domains.define(guest("fine", disk));
	const qemu = findProcesses(daemon.root).find(({ pid }) => pid !== daemon.pid);
	assert.ok(qemu);
	process.kill(qemu.pid, "SIGSTOP");
	try {
		const families = readExposition((await page()).text);
		assert.equal(families.get("virtkit_scrape_missing_domains")?.samples[0]?.value, 1);
		assert.deepEqual(
			families.get("virtkit_domain_state")?.samples.map(({ labels }) => labels.domain),
			["fine"],
		);
	} finally {
		process.kill(qemu.pid, "SIGCONT");
	}
	await domain.destroy();
	await other.undefine();
});
