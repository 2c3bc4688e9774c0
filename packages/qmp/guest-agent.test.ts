// The guest agent's client: synchronisation, order, loss and return of the channel; against a fake agent and a real one.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FakeMonitor, type Received } from "./fake-monitor.ts";
import { GuestAgent } from "./guest-agent.ts";
import { isQmpError } from "./qmp-error.ts";

type Answer = (command: Received, socket: Socket) => string | undefined;

/** An agent that synchronises, and answers other commands as the test wants. */
function fakeAgent(answer: Answer = () => '{"return": {}}\n', sync: Answer = syncAnswer): Promise<FakeMonitor> {
	return FakeMonitor.listen({
		answer(command, socket) {
			const text = (command.execute === "guest-sync-delimited" ? sync : answer)(command, socket);
			if (text?.startsWith(DELIMITER)) socket.write(Uint8Array.of(0xff));
			return text?.replace(DELIMITER, "");
		},
	});
}

const DELIMITER = "<ff>";
const syncAnswer: Answer = (command) => `${DELIMITER}{"return": ${command.arguments?.["id"]}}\n`;
const namesOf = (monitor: FakeMonitor) => monitor.received.map(({ execute }) => execute);

test("the first command is preceded by one synchronisation, with the byte that flushes", async () => {
	const lines: string[] = [];
	await using monitor = await FakeMonitor.listen({
		onLine: (line) => lines.push(line),
		answer(command, socket) {
			if (command.execute !== "guest-sync-delimited") return '{"return": 5}\n';
			socket.write(Uint8Array.of(0xff));
			return `{"return": ${command.arguments?.["id"]}}\n`;
		},
	});
	await using agent = new GuestAgent(monitor.path);
	assert.equal(await agent.execute("guest-get-time"), 5);
	assert.equal(await agent.execute("guest-get-time"), 5);
	assert.match(lines[0] ?? "", /^\u{fffd}\{"execute":"guest-sync-delimited"/u);
	assert.deepEqual(namesOf(monitor), ["guest-sync-delimited", "guest-get-time", "guest-get-time"]);
});

test("commands given together go one after another and get their own answers", async () => {
	let open = 0;
	await using monitor = await fakeAgent((command, socket) => {
		assert.equal(open++, 0);
		setTimeout(() => {
			open--;
			socket.write(`{"return": "${command.execute}"}\n`);
		}, 5);
		return undefined;
	});
	await using agent = new GuestAgent(monitor.path);
	const names = ["guest-ping", "guest-info", "guest-get-users"] as const;
	assert.deepEqual(await Promise.all(names.map((name) => agent.executeUntyped(name))), names);
});

test("half an answer and answers to others from before the synchronisation are skipped", async () => {
	await using monitor = await fakeAgent(undefined, (command, socket) => {
		socket.write('"half": 1}]}\n{"return": "old"}\n');
		socket.write(Uint8Array.of(0xff));
		socket.write('{"return": 1}\n');
		return syncAnswer(command, socket);
	});
	await using agent = new GuestAgent(monitor.path);
	assert.deepEqual(await agent.execute("guest-ping"), {});
});

test("an agent that is not there does not synchronise and the error says so", async () => {
	await using monitor = await fakeAgent(undefined, () => undefined);
	await using agent = new GuestAgent(monitor.path, { syncDeadlineMs: 20 });
	await assert.rejects(agent.execute("guest-ping"), {
		code: "AGENT_UNRESPONSIVE",
		message: "Guest agent is not responding: guest agent is not available for now: it did not synchronise within 20 ms",
	});
});

test("after a missed deadline the late answer is not taken for that of the next command", async () => {
	let late: Socket | undefined;
	await using monitor = await fakeAgent((command, socket) => {
		if (command.execute === "guest-ping") late = socket;
		return command.execute === "guest-ping" ? undefined : '{"return": 7}\n';
	});
	await using agent = new GuestAgent(monitor.path);
	await assert.rejects(agent.execute("guest-ping", {}, { deadlineMs: 20 }), { code: "AGENT_UNRESPONSIVE" });
	late?.write('{"return": "late"}\n');
	assert.equal(await agent.execute("guest-get-time"), 7);
	assert.equal(namesOf(monitor).filter((name) => name === "guest-sync-delimited").length, 2);
});

test("an aborted command ends at once; one that waits for its turn is never sent", async () => {
	await using monitor = await fakeAgent(() => undefined);
	await using agent = new GuestAgent(monitor.path);
	const controller = new AbortController();
	const calls = (["guest-ping", "guest-info"] as const).map((name) =>
		agent.executeUntyped(name, {}, { signal: controller.signal }),
	);
	await sleep(20);
	controller.abort();
	for (const call of await Promise.allSettled(calls))
		assert.equal(call.status === "rejected" && call.reason.code, "OPERATION_ABORTED");
	assert.equal(namesOf(monitor).includes("guest-info"), false);
});

test("a refusal carries the agent's class and words", async () => {
	await using monitor = await fakeAgent(
		() => '{"error": {"class": "CommandNotFound", "desc": "The command guest-x has not been found"}}\n',
	);
	await using agent = new GuestAgent(monitor.path);
	await assert.rejects(agent.executeUntyped("guest-x"), (error: Error) => {
		assert.ok(isQmpError(error, "CommandNotFound"));
		assert.equal(
			error.message,
			"internal error: unable to execute QEMU agent command 'guest-x': The command guest-x has not been found",
		);
		return true;
	});
});

test("a command without an answer ends with what else tells that it worked, or with the refusal", async () => {
	await using monitor = await fakeAgent((command) =>
		command.arguments?.["mode"] === "halt" ? '{"error": {"class": "GenericError", "desc": "no"}}\n' : undefined,
	);
	await using agent = new GuestAgent(monitor.path);
	await agent.execute("guest-shutdown", { mode: "powerdown" }, { until: sleep(5) });
	await assert.rejects(agent.execute("guest-shutdown", { mode: "halt" }, { until: new Promise(() => undefined) }), {
		desc: "no",
	});
});

test("a channel that is lost fails the command under way, and the next one makes a new connection", async () => {
	await using monitor = await fakeAgent((command, socket) => {
		if (command.execute === "guest-shutdown") socket.destroy();
		return '{"return": {}}\n';
	});
	await using agent = new GuestAgent(monitor.path);
	await assert.rejects(agent.execute("guest-shutdown"), {
		code: "AGENT_UNRESPONSIVE",
		message: "Guest agent is not responding: guest agent disappeared while executing command",
	});
	await agent.execute("guest-ping");
	agent.disconnect();
	await agent.execute("guest-ping");
	assert.equal(namesOf(monitor).filter((name) => name === "guest-sync-delimited").length, 3);
});

test("a channel that cannot be connected, or was closed for good, is named with the reason", async () => {
	const agent = new GuestAgent("/nonexistent/agent");
	await assert.rejects(agent.execute("guest-ping"), {
		code: "AGENT_UNRESPONSIVE",
		message: /ENOENT.*\/nonexistent\/agent/,
	});
	await agent[Symbol.asyncDispose]();
	await assert.rejects(agent.execute("guest-ping"), { message: /was closed/ });
});

test("text is passed through on one line, and only where it is a command", async () => {
	await using monitor = await fakeAgent(() => '{"return": {"big": 18446744073709551615}}\n');
	await using agent = new GuestAgent(monitor.path);
	assert.equal(await agent.executeText('{"execute":\n"guest-x"}'), '{"return": {"big": 18446744073709551615}}');
	await assert.rejects(agent.executeText("guest-ping"), { code: "INVALID_ARG" });
});

/** A real agent that serves this host on a UNIX socket; only commands that change nothing are given to it. */
class RealAgent implements AsyncDisposable {
	readonly #folder = mkdtempSync(join(tmpdir(), "agent-"));
	readonly path = join(this.#folder, "socket");
	#process: ChildProcess | undefined;

	async start(): Promise<void> {
		await this.stop();
		rmSync(this.path, { force: true });
		this.#process = spawn("qemu-ga", ["-m", "unix-listen", "-p", this.path, "-t", this.#folder], { stdio: "ignore" });
		while (!existsSync(this.path)) await sleep(5);
	}

	async stop(): Promise<void> {
		const running = this.#process;
		this.#process = undefined;
		if (running?.kill("SIGKILL")) await once(running, "exit");
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.stop();
		rmSync(this.#folder, { recursive: true });
	}
}

const hasAgent = ["/usr/sbin/qemu-ga", "/usr/bin/qemu-ga"].some((path) => existsSync(path));

test("a real agent answers, refuses, dies and comes back", {
	skip: !hasAgent && "qemu-ga is not installed",
}, async () => {
	await using real = new RealAgent();
	await real.start();
	await using agent = new GuestAgent(real.path);
	const info = await agent.execute("guest-info");
	assert.ok(info.supported_commands.some(({ name }) => name === "guest-ping"));
	assert.equal((await agent.execute("guest-get-host-name"))["host-name"].length > 0, true);
	assert.ok((await agent.execute("guest-get-time")) > 1e18);
	await assert.rejects(agent.executeUntyped("guest-no-such-command"), (error) => isQmpError(error, "CommandNotFound"));
	await real.stop();
	await assert.rejects(agent.execute("guest-ping"), { code: "AGENT_UNRESPONSIVE" });
	await real.start();
	assert.ok((await agent.execute("guest-get-osinfo"))["kernel-release"]);
});
