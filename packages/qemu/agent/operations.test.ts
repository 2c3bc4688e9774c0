// What the guest agent carries out, against an agent of the test's own.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import test from "node:test";
import { UndoStack } from "@virtkit/base/undo-stack";
import type { CallContext } from "@virtkit/core/domain-operations";
import { isVirtError } from "@virtkit/testing/expect-error";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { agentChannelChanged } from "./agent.ts";
import { agentOperations } from "./operations.ts";

const CONTEXT = { signal: new AbortController().signal } as CallContext;
const BLOCK = -2;
const DEFAULT = -1;

/** A domain whose guest has an agent that answers by `answers`; a command that is not in there gets no answer. */
async function guest(answers: Readonly<Record<string, string>>) {
	const folder = temporaryFolder();
	const path = folder.file("agent");
	const asked: string[] = [];
	const sockets = new Set<Socket>();
	const server = createServer((socket) => {
		sockets.add(socket);
		createInterface({ input: socket }).on("line", (line) => {
			const { execute, arguments: args } = JSON.parse(line.replace(/^[^{]*/, ""));
			if (execute === "guest-sync-delimited") {
				socket.write(Buffer.concat([Uint8Array.of(0xff), Buffer.from(`{"return": ${args.id}}\n`)]));
				return;
			}
			asked.push(line);
			if (answers[execute] !== undefined) socket.write(`${answers[execute]}\n`);
		});
	}).listen(path);
	await once(server, "listening");
	const domain = new QemuDomain({ name: "guest", uuid: "" }, () => assert.fail("nothing is stored"));
	const resources = new UndoStack();
	const monitor = { execute: async (name: string) => void asked.push(name) };
	const target = { type: "virtio", name: "org.qemu.guest_agent.0" };
	const def = { os: { type: { arch: "x86_64" } }, devices: { channels: [{ type: "unix", source: { path }, target }] } };
	const tampered = { monitor: false, agent: false };
	const run = { phase: "up", agentOpen: true, tampered, resources, live: { def }, monitor } as unknown as Run;
	domain.run = run;
	domain.setState({ state: "running", reason: "booted" });
	return {
		domain,
		run,
		asked,
		[Symbol.asyncDispose]: async () => {
			await resources[Symbol.asyncDispose]();
			for (const socket of sockets) socket.destroy();
			server.close();
			folder[Symbol.dispose]();
		},
	};
}

const command = (domain: QemuDomain, text: string, timeout = DEFAULT) =>
	agentOperations.agentCommand(domain, text, timeout, 0, CONTEXT);

test("commands go to the agent, and its answers come back without blanks", async () => {
	await using own = await guest({ "guest-info": '{"return": {"version": "7.2", "n": 12345678901234567890}}' });
	assert.equal(
		await command(own.domain, '{"execute":"guest-info"}', BLOCK),
		'{"return":{"version":"7.2","n":12345678901234567890}}',
	);
	await assert.rejects(
		command(own.domain, '{"execute":"guest-info"}', -3),
		isVirtError("INVALID_ARG", "guest agent timeout '-3' is less than the minimum '-2'"),
	);
});

test("what the agent refuses, or does not answer, is said in libvirt's words", async () => {
	const refusal = '{"error": {"class": "CommandNotFound", "desc": "The command guest-x has not been found"}}';
	await using own = await guest({ "guest-x": refusal });
	await assert.rejects(
		command(own.domain, '{"execute":"guest-x"}'),
		isVirtError("INTERNAL_ERROR", "unable to execute QEMU agent command 'guest-x': The command guest-x has not"),
	);
	await assert.rejects(
		command(own.domain, '{"execute":"guest-silent"}', 0),
		isVirtError("AGENT_UNRESPONSIVE", "Guest agent not available for now"),
	);
});

test("host name and time are the guest's, to the nanosecond", async () => {
	await using own = await guest({
		"guest-get-host-name": '{"return": {"host-name": "inside"}}',
		"guest-get-time": '{"return": 1700000000123456789}',
		"guest-set-time": '{"return": {}}',
	});
	assert.equal(await agentOperations.hostname(own.domain, 0, CONTEXT), "inside");
	assert.deepEqual(await agentOperations.time(own.domain, 0, CONTEXT), {
		seconds: 1_700_000_000n,
		nanoseconds: 123_456_789,
	});
	await agentOperations.setTime(own.domain, { seconds: 1_700_000_001n, nanoseconds: 5 }, 0, CONTEXT);
	await agentOperations.setTime(own.domain, { seconds: 0n, nanoseconds: 0 }, 1, CONTEXT);
	assert.deepEqual(own.asked.slice(2), [
		'{"execute":"guest-set-time","arguments":{"time":1700000001000000005}}',
		"rtc-reset-reinjection",
		'{"execute":"guest-set-time"}',
		"rtc-reset-reinjection",
	]);
	await assert.rejects(
		agentOperations.setTime(own.domain, { seconds: 1n << 60n, nanoseconds: 0 }, 0, CONTEXT),
		isVirtError("INVALID_ARG", "is too big for guest agent"),
	);
	await assert.rejects(agentOperations.hostname(own.domain, 1, CONTEXT), isVirtError("NO_HOSTNAME", "guest"));
});

test("without a channel, without an agent on it, and without a running guest there is nobody to ask", async () => {
	await using own = await guest({});
	const { domain, run } = own;
	const ask = () => command(domain, '{"execute":"guest-ping"}');
	agentChannelChanged({} as Driver, domain, run, false);
	await assert.rejects(ask(), isVirtError("AGENT_UNRESPONSIVE", "QEMU guest agent is not connected"));
	run.live.def.devices.channels = [];
	await assert.rejects(ask(), isVirtError("ARGUMENT_UNSUPPORTED", "QEMU guest agent is not configured"));
	domain.setState({ state: "paused", reason: "user" });
	await assert.rejects(ask(), isVirtError("OPERATION_INVALID", "domain is not running"));
});
