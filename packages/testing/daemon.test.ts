// Tests of the harness that runs the project's daemon.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { findProcesses } from "@virtkit/host/process";
import { startDaemon } from "./daemon.ts";
import { demoDomainXml, prepareDemoGuest } from "./demo-guest.ts";

test("a test daemon is driven by real virsh, keeps its guests over a restart, and leaves nothing", async () => {
	let root: string;
	{
		await using daemon = await startDaemon();
		root = daemon.root;
		const guest = prepareDemoGuest(daemon.file("guest"));
		const xml = demoDomainXml(guest, { name: "kept", type: "qemu", network: false });
		await daemon.virshWith(xml, "create");
		await daemon.stop("SIGKILL");
		await daemon.start();
		assert.equal((await daemon.virsh("domstate", "kept")).trim(), "running", daemon.logs());
		assert.equal((await daemon.python("print(conn.lookupByName('kept').isActive())")).trim(), "1");
	}
	assert.deepEqual(findProcesses(root), []);
	assert.equal(existsSync(root), false);
});

test("a daemon that cannot start is an error that says what it said, and leaves nothing", async () => {
	await assert.rejects(
		startDaemon({ args: ["--no-such-option"] }),
		/ended with 64 before it was ready:[\s\S]*no-such-option/,
	);
});
