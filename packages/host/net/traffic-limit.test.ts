// Tests of limits of traffic: tc's commands, and what the kernel makes of them on a tap device made for it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync } from "node:fs";
import { test } from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { openTap } from "./tap.ts";
import { limitCommands, limitTraffic, unlimitTraffic } from "./traffic-limit.ts";

interface Queue {
	readonly kind: string;
}

const queues = (name: string): string[] =>
	(JSON.parse(execFileSync("tc", ["-j", "qdisc", "show", "dev", name], { encoding: "utf8" })) as Queue[])
		.map(({ kind }) => kind)
		.filter((kind) => kind !== "noqueue");

const classes = (name: string): string =>
	execFileSync("tc", ["class", "show", "dev", name], { encoding: "utf8" }).trim();

/** Whether this kernel can drop what comes in beyond a rate. */
function canPolice(name: string): boolean {
	try {
		const { needed } = limitCommands(name, { received: { average: 1000 } });
		execFileSync("tc", ["-batch", "-"], { input: `${needed.join("\n")}\n`, stdio: ["pipe", "ignore", "ignore"] });
		return true;
	} catch {
		return false;
	} finally {
		execFileSync("tc", ["-force", "-batch", "-"], {
			input: `qdisc del dev ${name} ingress\nqdisc show dev ${name}\n`,
			stdio: ["pipe", "ignore", "ignore"],
		});
	}
}

test("a rate becomes a class of HTB with libvirt's quantum, and what comes in is policed", () => {
	const commands = limitCommands("vnet0", {
		sent: { average: 1000, peak: 5000, burst: 1024 },
		received: { average: 128 },
	});
	assert.deepEqual(commands.needed, [
		"qdisc add dev vnet0 root handle 1: htb default 1",
		"class add dev vnet0 parent 1: classid 1:1 htb rate 1000kbps ceil 5000kbps burst 1024kb quantum 85",
		"qdisc add dev vnet0 ingress",
		"filter add dev vnet0 parent ffff: protocol all u32 match u32 0 0 police rate 128kbps burst 128kb mtu 64kb drop flowid :1",
	]);
	assert.equal(commands.fair.length, 2);
	assert.match(limitCommands("vnet0", { sent: { average: 1 } }).needed[1] ?? "", / quantum 1$/);
	const huge = limitCommands("vnet0", { received: { average: 1e9 } }).needed[1];
	assert.match(huge ?? "", / rate 1000000000kbps burst 4194303kb /);
});

test("limits are set, changed and taken away; what the kernel cannot do leaves none", async () => {
	const name = `vk${process.pid % 1e6}q`;
	const tap = openTap({ name });
	try {
		await limitTraffic(name, { sent: { average: 100 } });
		assert.ok(queues(name).includes("htb"));
		assert.match(classes(name), /rate 800Kbit ceil 800Kbit/);
		await limitTraffic(name, { sent: { average: 200, peak: 300 } });
		assert.match(classes(name), /rate 1600Kbit ceil 2400Kbit/);
		await unlimitTraffic(name);
		assert.deepEqual(queues(name), []);
		const both = { sent: { average: 100 }, received: { average: 100 } };
		if (canPolice(name)) {
			await limitTraffic(name, both);
			assert.ok(queues(name).includes("ingress"));
		} else {
			const refused = isVirtError("INTERNAL_ERROR", `cannot limit the traffic of network interface '${name}'`);
			await assert.rejects(limitTraffic(name, both), refused);
			assert.deepEqual(queues(name), []);
		}
		await limitTraffic(name, {});
		assert.deepEqual(queues(name), []);
	} finally {
		for (const fd of tap.fds) closeSync(fd);
	}
	await unlimitTraffic(name);
});
