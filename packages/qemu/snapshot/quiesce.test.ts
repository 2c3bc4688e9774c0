// Snapshots for which the guest agent holds the guest's file systems still, and snapshots that are given up.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { constants, existsSync } from "node:fs";
import { open } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import test from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { QemuDomain } from "@virtkit/qemu/domain/domain";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver, tinyGuest, until } from "@virtkit/testing/qemu-driver";
import { CREATE } from "./flags.ts";

/** Bytes of an image's head, about. */
const HEAD_BYTES = 70_000;
const QUIESCED = CREATE.diskOnly | CREATE.quiesce;

async function runningGuest(own: TestDriver): Promise<QemuDomain> {
	const image = own.path("disk.img");
	execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", image, "8M"]);
	const disk = `<disk type='file'><driver name='qemu' type='qcow2'/><source file='${image}'/><target dev='vda' bus='virtio'/></disk>`;
	const domain = await own.define(tinyGuest("guest", { devices: disk }));
	await own.run("start", domain);
	return domain;
}

/** Answers as an agent of the guest; each thing it is asked is told with the disk's image at that moment. */
async function agentOf(domain: QemuDomain, own: TestDriver, frozen: number) {
	const path = own.path("agent");
	const asked: string[] = [];
	const sockets = new Set<Socket>();
	const { live } = domain.activeRun();
	const server = createServer((socket) => {
		sockets.add(socket);
		createInterface({ input: socket }).on("line", (line) => {
			const { execute, arguments: args } = JSON.parse(line.replace(/^[^{]*/, ""));
			if (execute === "guest-sync-delimited")
				return void socket.write(Buffer.concat([Uint8Array.of(0xff), Buffer.from(`{"return": ${args.id}}\n`)]));
			asked.push(`${execute} ${live.def.devices.disks[0]?.source?.file?.split(".").at(-1)}`);
			socket.write(frozen < 0 ? '{"error": {"class": "GenericError", "desc": "no"}}\n' : `{"return": ${frozen}}\n`);
		});
	}).listen(path);
	await once(server, "listening");
	live.def.devices.channels.push({
		type: "unix",
		source: { path, seclabels: [] },
		target: { type: "virtio", name: "org.qemu.guest_agent.0" },
	} as unknown as (typeof live.def.devices.channels)[number]);
	domain.activeRun().agentOpen = true;
	return {
		asked,
		[Symbol.dispose]: () => {
			for (const socket of sockets) socket.destroy();
			server.close();
		},
	};
}

const take = (own: TestDriver, domain: QemuDomain, flags: number, inner: string) =>
	own.run("createSnapshot", domain, flags, `<domainsnapshot>${inner}</domainsnapshot>`);

test("file systems are frozen before the disks are switched and thawed after, also where that fails", async () => {
	await using own = await TestDriver.start();
	const domain = await runningGuest(own);
	await assert.rejects(take(own, domain, QUIESCED, ""), isVirtError("ARGUMENT_UNSUPPORTED", "agent"));
	using agent = await agentOf(domain, own, 2);
	await take(own, domain, QUIESCED, "<name>one</name>");
	assert.deepEqual(agent.asked, ["guest-fsfreeze-freeze img", "guest-fsfreeze-thaw one"]);
	agent.asked.length = 0;
	const nowhere = `<disks><disk name='vda'><source file='${own.path("no/such/folder")}'/></disk></disks>`;
	await assert.rejects(take(own, domain, QUIESCED, nowhere), isVirtError("SYSTEM_ERROR"));
	assert.deepEqual(agent.asked, ["guest-fsfreeze-freeze one", "guest-fsfreeze-thaw one"]);
});

test("a guest whose file systems cannot be frozen gets no snapshot", async () => {
	await using own = await TestDriver.start();
	const domain = await runningGuest(own);
	using agent = await agentOf(domain, own, -1);
	await assert.rejects(take(own, domain, QUIESCED, "<name>one</name>"), isVirtError("INTERNAL_ERROR"));
	assert.deepEqual(agent.asked, ["guest-fsfreeze-freeze img"]);
	assert.ok(!existsSync(own.path("disk.one")));
	assert.equal(await own.run("currentSnapshot", domain), undefined);
});

test("a snapshot with memory is given up as its client wishes, and the guest goes on without it", async () => {
	await using own = await TestDriver.start();
	const domain = await runningGuest(own);
	// The image's head is read and nothing else: QEMU stands in the middle of the memory.
	const memory = own.path("memory");
	execFileSync("mkfifo", [memory]);
	const reader = await open(memory, constants.O_RDWR | constants.O_NONBLOCK);
	const read = async (): Promise<number> =>
		(await reader.read(Buffer.alloc(1 << 16), 0, 1 << 16, null).catch(() => undefined))?.bytesRead ?? 0;
	try {
		const taken = take(own, domain, 0, `<name>one</name><memory file='${memory}'/>`);
		taken.catch(() => undefined);
		for (let done = 0; done < HEAD_BYTES; await delay(1)) done += await read();
		await until(async () => {
			const { status } = await domain.activeRun().monitor.execute("query-migrate");
			return status === "active";
		}, "QEMU to write");
		assert.equal((await own.run("jobStats", domain)).params.find(({ field }) => field === "operation")?.value.value, 6);
		await own.run("abortJob", domain);
		// QEMU gives up once it can write again.
		let over = false;
		const ended = taken
			.catch(() => undefined)
			.finally(() => {
				over = true;
			});
		while (!over) await Promise.race([ended, read().then(() => delay(1))]);
		await assert.rejects(taken, isVirtError("OPERATION_ABORTED", "job 'snapshot' canceled by client"));
		await until(() => domain.stateName === "running", "the guest goes on");
		assert.ok(!existsSync(own.path("disk.one")));
		assert.equal(await own.run("currentSnapshot", domain), undefined);
	} finally {
		await reader.close();
	}
});
