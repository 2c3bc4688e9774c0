// What QEMU's events make of a domain, and what is told of them: real guests for what a guest can be had to do, made-up events for the rest.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import test from "node:test";
import { UndoStack } from "@virtkit/base/undo-stack";
import { parseDomain } from "@virtkit/model/domain/domain";
import type { QmpEvent } from "@virtkit/qmp/messages";
import { bootDisk } from "@virtkit/testing/boot-disk";
import { TestDriver, tinyGuest, until } from "@virtkit/testing/qemu-driver";
import { EmulatorCapabilities } from "../capabilities/emulator.ts";
import { Definition } from "../domain/definition.ts";
import { DomainRegistry } from "../domain/registry.ts";
import { Run } from "../domain/run.ts";
import { DefinitionStore } from "../domain/store.ts";
import { Driver, type DriverParts } from "../driver-context.ts";
import { driverPaths } from "../paths.ts";
import { handleEvent } from "./handle.ts";

/** A driver that touches nothing, with one domain that runs by its own account. */
function pretend(devices = "", more = "") {
	const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
	const paths = driverPaths({ etc: "/nowhere", lib: "/nowhere", run: "/nowhere", log: "/nowhere" });
	const store = new DefinitionStore(paths, log);
	const domains = new DomainRegistry(store);
	const driver = new Driver({ paths, log, store, domains } as unknown as DriverParts);
	const def = parseDomain(tinyGuest("guest", { devices, more }).replace("<memballoon model='none'/>", ""));
	for (const [index, disk] of def.devices.disks.entries()) Object.assign(disk, { alias: `disk${index}` });
	const domain = domains.add({ name: "guest", uuid: "11111111-1111-4111-8111-111111111111" });
	const nothing = { machines: [], types: {}, machineProperties: {}, options: {}, schema: [] };
	const run = new Run({
		id: 7,
		definition: new Definition(def),
		caps: new EmulatorCapabilities({ binary: "", arch: "x86_64", version: 0, package: "", ...nothing }),
		paths: { work: "", monitor: "", channels: "", log: "/nowhere/log" },
		statusFile: "/nowhere/status",
		resources: new UndoStack(),
	});
	run.phase = "up";
	domain.run = run;
	domain.setState({ state: "running", reason: "booted" });
	const told: object[] = [];
	driver.events.listen(({ domain: ref, ...event }) => {
		assert.equal(ref.id, 7);
		if (event.kind !== "qemu-monitor") told.push(event);
	});
	const send = (event: string, data: object = {}) =>
		handleEvent(driver, domain, run, { kind: "event", event, data, timestamp: 1_000_002 } as QmpEvent);
	return { driver, domain, run, told, send };
}

const DISK = "<disk type='file'><source file='/disk.img'/><target dev='vda' bus='virtio'/></disk>";
const CDROM = "<disk type='file' device='cdrom'><target dev='hda' bus='ide'/></disk>";

test("a guest that stops by itself is paused for the reason that was given, and goes on", () => {
	const { domain, run, told, send } = pretend();
	run.pausedReason = "save";
	send("STOP");
	assert.deepEqual(domain.state, { state: "paused", reason: "save" });
	send("RESUME");
	assert.deepEqual(domain.state, { state: "running", reason: "unpaused" });
	assert.deepEqual(told, [
		{ kind: "lifecycle", event: "suspended", detail: "paused" },
		{ kind: "lifecycle", event: "resumed", detail: "unpaused" },
	]);
});

test("a write that fails pauses the guest and is told with its disk; the stop that follows is no other pause", () => {
	const { domain, told, send } = pretend(DISK);
	const error = { device: "", "node-name": "libvirt-1-format", operation: "write", action: "stop", nospace: true };
	Object.assign(domain.run?.live.def.devices.disks[0]?.source ?? {}, { index: 1 });
	send("BLOCK_IO_ERROR", error);
	send("STOP");
	assert.deepEqual(domain.state, { state: "paused", reason: "ioerror" });
	assert.deepEqual(told, [
		{ kind: "io-error", path: "/disk.img", device: "disk0", action: 1, reason: "enospc" },
		{ kind: "lifecycle", event: "suspended", detail: "ioerror" },
	]);
});

test("a watchdog that pauses the guest is told before the pause", () => {
	const { domain, told, send } = pretend("<watchdog model='i6300esb' action='pause'/>");
	send("WATCHDOG", { action: "pause" });
	assert.deepEqual(domain.state, { state: "paused", reason: "watchdog" });
	assert.deepEqual(told, [
		{ kind: "watchdog", action: 1 },
		{ kind: "lifecycle", event: "suspended", detail: "watchdog" },
	]);
});

test("a guest sleeps and wakes", () => {
	const { domain, told, send } = pretend();
	send("SUSPEND");
	assert.deepEqual(domain.state, { state: "pmsuspended", reason: "unknown" });
	send("WAKEUP");
	assert.deepEqual(domain.state, { state: "running", reason: "wakeup" });
	send("SUSPEND_DISK");
	assert.deepEqual(told, [
		{ kind: "pmsuspend", reason: 0 },
		{ kind: "lifecycle", event: "pmsuspended", detail: "memory" },
		{ kind: "pmwakeup", reason: 0 },
		{ kind: "lifecycle", event: "started", detail: "wakeup" },
		{ kind: "pmsuspend-disk", reason: 0 },
		{ kind: "lifecycle", event: "pmsuspended", detail: "disk" },
	]);
});

test("trays, memory and clock move in the running guest's definition", () => {
	const clock = "<clock offset='variable' adjustment='100'/>";
	const { run, told, send } = pretend(CDROM, clock);
	send("DEVICE_TRAY_MOVED", { device: "", id: "disk0", "tray-open": true });
	send("BALLOON_CHANGE", { actual: 16 * 1024 * 1024 });
	send("RTC_CHANGE", { offset: 20, "qom-path": "" });
	send("RTC_CHANGE", { offset: 30, "qom-path": "" });
	assert.deepEqual(told, [
		{ kind: "tray-change", device: "disk0", reason: 0 },
		{ kind: "balloon-change", actual: 16384n },
		{ kind: "rtc-change", offset: 120n },
		{ kind: "rtc-change", offset: 130n },
	]);
	const text = run.live.format();
	for (const part of ["tray='open'", "<currentMemory unit='KiB'>16384<", "adjustment='130'"])
		assert.ok(text.includes(part), part);
});

test("a guest that keeps a device, memory that fails and memory whose size changes are told", () => {
	const memory =
		"<memory model='virtio-mem'><target><size unit='GiB'>2</size><node>0</node><block unit='MiB'>2</block><requested>0</requested></target><alias name='ua-memory'/></memory>";
	const { told, send } = pretend(memory);
	send("DEVICE_UNPLUG_GUEST_ERROR", { device: "net0", path: "/machine/peripheral/net0" });
	send("MEMORY_FAILURE", {
		recipient: "guest",
		action: "inject",
		flags: { "action-required": true, recursive: false },
	});
	send("MEMORY_DEVICE_SIZE_CHANGE", { id: "ua-memory", size: 2 ** 30, "qom-path": "" });
	send("MEMORY_DEVICE_SIZE_CHANGE", { id: "gone", size: 2 ** 30, "qom-path": "" });
	assert.deepEqual(told, [
		{ kind: "device-removal-failed", device: "net0" },
		{ kind: "memory-failure", recipient: 1, action: 1, flags: 1 },
		{ kind: "memory-device-size-change", alias: "ua-memory", size: 1048576n },
	]);
});

test("QEMU's rounds over the memory are told of jobs of ours alone", async () => {
	const { domain, told, send } = pretend();
	send("MIGRATION_PASS", { pass: 1 });
	assert.deepEqual(told, []);
	using _job = await domain.lock.beginAsync("save", "test");
	send("MIGRATION_PASS", { pass: 2 });
	assert.deepEqual(told, [{ kind: "migration-iteration", iteration: 2 }]);
});

test("the agent's channel is told as it opens and closes", () => {
	const channel =
		"<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/><alias name='ua-agent'/></channel>";
	const { run, told, send } = pretend(channel);
	send("VSERPORT_CHANGE", { id: "ua-agent", open: true });
	assert.ok(run.agentOpen);
	send("VSERPORT_CHANGE", { id: "ua-agent", open: false });
	assert.ok(!run.agentOpen);
	assert.deepEqual(told, [
		{ kind: "agent-lifecycle", state: 1, reason: 2 },
		{ kind: "agent-lifecycle", state: 2, reason: 2 },
	]);
});

test("a display's clients are told with both ends", () => {
	const { told, send } = pretend();
	const server = { host: "127.0.0.1", service: "5900", family: "ipv4", websocket: false, auth: "none" };
	send("VNC_CONNECTED", { server, client: { ...server, service: "1234" } });
	assert.deepEqual(told, [
		{
			kind: "graphics",
			phase: 0,
			local: { family: 0, node: "127.0.0.1", service: "5900" },
			remote: { family: 0, node: "127.0.0.1", service: "1234" },
			authScheme: "none",
			subject: [],
		},
	]);
});

test("an event of a newer QEMU changes nothing and still reaches those who want QEMU's own", () => {
	const { driver, send } = pretend();
	const raw: object[] = [];
	driver.events.listen(({ domain: _, ...event }) => void raw.push(event));
	send("constructor", { x: 1 });
	assert.deepEqual(raw, [{ kind: "qemu-monitor", event: "constructor", seconds: 1n, micros: 2, details: '{"x":1}' }]);
});

/** Firmware powers off by it. */
const ACPI = "<features><acpi/></features>";

/** A disk that a PC boots at once. */
function diskThat(own: TestDriver, end: Parameters<typeof bootDisk>[1]): string {
	const path = own.path(`${end}.img`);
	writeFileSync(path, bootDisk("hello", end), { mode: 0o666 });
	return `<disk type='file'><driver name='qemu' type='raw'/><source file='${path}'/><target dev='hda' bus='ide'/></disk>`;
}

test("a guest that powers itself off is shut off, by its own wish", async () => {
	await using own = await TestDriver.start();
	const guest = await own.define(tinyGuest("guest", { more: ACPI, devices: diskThat(own, "poweroff") }));
	await own.run("start", guest);
	await until(() => guest.stateName === "shutoff", "the guest to power off");
	assert.deepEqual(guest.state, { state: "shutoff", reason: "shutdown" });
	assert.deepEqual(own.events.slice(-2), ["shutdown guest", "stopped shutdown"]);
	assert.equal(own.processes.length, 0);
});

test("a guest that is to restart where it powers off runs again in the same process", async () => {
	await using own = await TestDriver.start();
	const more = `${ACPI}<on_poweroff>restart</on_poweroff>`;
	const guest = await own.create(tinyGuest("guest", { more, devices: diskThat(own, "poweroff") }));
	const before = own.processes;
	await until(() => own.events.filter((event) => event === "reboot").length >= 2, "two reboots");
	assert.deepEqual(own.processes, before);
	assert.equal(guest.stateName, "running");
	assert.ok(!own.events.includes("shutdown guest"));
});
