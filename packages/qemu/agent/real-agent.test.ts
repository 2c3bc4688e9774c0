// What QEMU's own guest agent tells, of this machine instead of a guest; it may do nothing else.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { hostname, networkInterfaces, release } from "node:os";
import test from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { UndoStack } from "@virtkit/base/undo-stack";
import type { CallContext } from "@virtkit/core/domain-operations";
import { isVirtError } from "@virtkit/testing/expect-error";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import { agentOperations } from "./operations.ts";

const CONTEXT = { signal: new AbortController().signal } as CallContext;
/** Whatever changes something, or could. */
const FORBIDDEN = [
	"guest-shutdown",
	"guest-set-time",
	"guest-fsfreeze-freeze",
	"guest-fsfreeze-freeze-list",
	"guest-fsfreeze-thaw",
	"guest-fstrim",
	"guest-suspend-disk",
	"guest-suspend-ram",
	"guest-suspend-hybrid",
	"guest-set-vcpus",
	"guest-set-memory-blocks",
	"guest-set-user-password",
	"guest-exec",
	"guest-file-open",
	"guest-ssh-add-authorized-keys",
	"guest-ssh-remove-authorized-keys",
];

/** A domain whose agent is this machine's. */
async function startAgent() {
	const folder = temporaryFolder();
	const path = folder.file("agent");
	const args = ["-m", "unix-listen", "-p", path, "-t", folder.path, "-b", FORBIDDEN.join(",")];
	const child = spawn("qemu-ga", args, {
		stdio: "ignore",
		env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin` },
	});
	const ended = once(child, "exit");
	while (!existsSync(path) && child.exitCode === null) await delay(10);
	const domain = new QemuDomain({ name: "guest", uuid: "" }, () => assert.fail("nothing is stored"));
	const resources = new UndoStack();
	const channels = [{ type: "unix", source: { path }, target: { type: "virtio", name: "org.qemu.guest_agent.0" } }];
	const def = { devices: { channels, controllers: [], disks: [], interfaces: [] } };
	domain.run = { phase: "up", agentOpen: true, resources, live: { def } } as unknown as Run;
	domain.setState({ state: "running", reason: "booted" });
	return {
		domain,
		[Symbol.asyncDispose]: async () => {
			await resources[Symbol.asyncDispose]();
			child.kill("SIGKILL");
			await ended;
			folder[Symbol.dispose]();
		},
	};
}

test("QEMU's guest agent tells of its machine, and what it may not do is refused", async () => {
	await using own = await startAgent();
	const { domain } = own;
	const params = await agentOperations.guestInfo(domain, 0, 0, CONTEXT);
	const facts = new Map(params.map(({ field, value }) => [field, value.value]));
	assert.equal(facts.get("hostname"), hostname());
	assert.equal(facts.get("os.kernel-release"), release());
	assert.equal(typeof facts.get("user.count"), "number");
	assert.equal(typeof facts.get("timezone.offset"), "number");
	const found = await agentOperations.interfaceAddresses(domain, 1, 0, CONTEXT);
	for (const [name, addresses = []] of Object.entries(networkInterfaces())) {
		const told = found.find((one) => one.name === name)?.addresses ?? [];
		for (const { address } of addresses)
			assert.ok(
				told.some((one) => one.address === address),
				`${name} ${address}`,
			);
	}
	assert.ok(Array.isArray(await agentOperations.filesystems(domain, 0, CONTEXT)));
	await assert.rejects(
		agentOperations.fsFreeze(domain, [], 0, CONTEXT),
		isVirtError("INTERNAL_ERROR", "unable to execute QEMU agent command 'guest-fsfreeze-freeze'"),
	);
	await assert.rejects(
		agentOperations.sshKeys(domain, "no-such-user-here", 0, CONTEXT),
		isVirtError("INTERNAL_ERROR", "unable to execute QEMU agent command 'guest-ssh-get-authorized-keys'"),
	);
});
