// Probing real emulators, and what pretends to be one.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { QmpClient } from "@virtkit/qmp/client";
import { FakeMonitor, GREETING, returnOf } from "@virtkit/qmp/fake-monitor";
import { EmulatorCapabilities } from "./emulator.ts";
import { tryAccelerator } from "./kvm-run.ts";
import { probeEmulator } from "./probe.ts";
import { askProperties } from "./probe-properties.ts";
import { newestOfEachKind } from "./questions.ts";

const QEMU = "/usr/bin/qemu-system-x86_64";

async function withScript(text: string, run: (path: string) => Promise<void>): Promise<void> {
	const folder = mkdtempSync(join(tmpdir(), "emulator-"));
	try {
		const path = join(folder, "emulator");
		writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
		await run(path);
	} finally {
		rmSync(folder, { recursive: true });
	}
}

test("a real QEMU tells its machines, CPU models, devices, options and schema", async () => {
	const { facts } = await probeEmulator(QEMU);
	const emulator = new EmulatorCapabilities(facts);
	assert.equal(emulator.arch, "x86_64");
	assert.ok(emulator.version >= 4_000_000);
	assert.equal(emulator.defaultMachine?.alias, "pc");
	const q35 = emulator.machine("q35");
	assert.ok(q35?.name.startsWith("pc-q35-") && q35.maxCpus >= 255 && q35.hotplugCpus && q35.defaultRamId === "pc.ram");
	assert.ok(emulator.has("virtio-net-pci", "mac") && emulator.has("memory-backend-memfd", "share"));
	assert.ok(!emulator.has("virtio-net-pci", "no-such") && !emulator.has("no-such-device"));
	assert.ok(emulator.hasOption("machine", "type") && emulator.hasOption("sandbox", "enable"));
	assert.ok(emulator.hasSchema("blockdev-add/arg-type/+file/aio/^threads"));
	assert.ok(!emulator.hasSchema("blockdev-add/arg-type/+file/no-such"));
	assert.ok(emulator.hasMachineProperty("pc-q35-4.2", "smm"));
	const models = emulator.accelerator("qemu")?.cpus ?? [];
	const usable = models.find(({ name }) => name === "qemu64");
	assert.deepEqual([usable?.usable, usable?.blockers], [true, []]);
	const blocked = models.find(({ usable }) => usable === false);
	assert.ok(blocked && blocked.blockers.length > 0);
	assert.equal(emulator.accelerator("qemu")?.hostCpu?.properties["sse2"], true);
	// Whichever way KVM is here, the facts say so: usable, or why not.
	assert.ok(facts.kvmRefusal === undefined ? emulator.accelerator("kvm") : facts.kvmRefusal.length > 10);
});

test("a QEMU that crashes on a question answers all the others after a restart", async () => {
	await using monitor = await FakeMonitor.listen({
		greeting: GREETING,
		answer(command, socket) {
			const type = String(command.arguments?.["typename"]);
			if (type.startsWith("crash")) socket.destroy();
			return returnOf(command, [
				{ name: `${type}.z`, type: "str" },
				{ name: `${type}.a`, type: "str" },
			]);
		},
	});
	const connect = () => {
		const client = QmpClient.connect(monitor.path, { oob: "never" });
		return { client, [Symbol.asyncDispose]: async () => client.close() };
	};
	await using first = connect();
	const questions = ["one", "crash-1", "two", "crash-2", "three"].map(
		(type) => ({ type, command: "qom-list-properties" }) as const,
	);
	const answers = await askProperties(first.client, questions, connect);
	assert.deepEqual([...answers.keys()], ["one", "two", "three"]);
	assert.deepEqual(answers.get("two"), ["two.a", "two.z"]);
});

test("the newest machine type speaks for its kind", () => {
	const machines = ["pc-q35-7.2", "pc-q35-7.10", "pc-q35-4.0.1", "pc-i440fx-2.9", "pc-i440fx-2.12", "isapc", "none"];
	assert.deepEqual(newestOfEachKind(machines), ["isapc", "none", "pc-i440fx-2.12", "pc-q35-7.10"]);
});

test("a program that is no QEMU is named with how it ended and what it printed", async () => {
	await withScript("echo wrong tool >&2; exit 3", (path) =>
		assert.rejects(probeEmulator(path), {
			code: "SYSTEM_ERROR",
			message: `Failed to probe QEMU binary ${path} with QMP: exit status 3; it printed: wrong tool`,
		}),
	);
	await withScript("kill -SEGV $$", (path) =>
		assert.rejects(probeEmulator(path), { message: /killed by SIGSEGV; it printed nothing/ }),
	);
});

test("a program that talks something else, or floods its output, is refused", async () => {
	await withScript("echo hello >&3; sleep 60", (path) =>
		assert.rejects(probeEmulator(path), { message: /Failed to probe QEMU binary/ }),
	);
	await withScript("yes flood | head -c 300000; exit 1", (path) =>
		assert.rejects(
			probeEmulator(path),
			(error: Error) => error.message.includes("flood") && error.message.length < 10_000,
		),
	);
});

test("a program that hangs is given up at the deadline, together with its own children", async () => {
	await withScript("echo about to hang; sleep 60", (path) =>
		assert.rejects(probeEmulator(path, { deadlineMs: 200 }), {
			message: /it does not answer as QEMU does; it printed: about to hang$/,
		}),
	);
});

test("the test guest runs through all its steps on an accelerator that works", async () => {
	for (const machine of ["q35", "pc"])
		assert.deepEqual(await tryAccelerator(QEMU, machine, {}, "tcg"), { certain: true });
});

test("an accelerator or machine that cannot be had is refused in QEMU's words", async () => {
	assert.match((await tryAccelerator(QEMU, "q35", {}, "no-such")).refusal ?? "", /exit status 1.*no-such/s);
	assert.match((await tryAccelerator("/bin/true", "q35")).refusal ?? "", /exit status 0.*printed nothing/);
});

test("a guest that dies half-way is refused with the step it got to", async () => {
	await withScript("printf RP", async (path) => {
		const { refusal } = await tryAccelerator(path, "q35");
		assert.match(refusal ?? "", /a test guest got stuck on the way to 64-bit mode and shut down/);
	});
	await withScript("printf RPLMTF; sleep 60", async (path) => {
		const { refusal } = await tryAccelerator(path, "q35");
		assert.match(refusal ?? "", /an exception that no processor raises/);
	});
});
