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
/** Of nobody: not a MAC that a host's interface or QEMU would take. */
const NO_NEIGHBOUR = "52:54:00:00:00:00";
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
	const pci = { type: "pci", domain: 0, bus: 0, function: 0 };
	const controllers = [
		{ type: "sata", index: 0, address: { ...pci, slot: 31, function: 2 } },
		{ type: "scsi", index: 0, address: { ...pci, slot: 3 } },
	];
	const drive = { type: "drive", controller: 0, bus: 0, target: 0 };
	const disks = [
		{ target: { dev: "vda", bus: "virtio" }, address: { ...pci, slot: 4 } },
		{ target: { dev: "sda", bus: "scsi" }, address: { ...drive, unit: 1 } },
		{ target: { dev: "sdb", bus: "sata" }, address: { ...drive, unit: 1 } },
	];
	const channels = [{ type: "unix", source: { path }, target }];
	const interfaces = [{ type: "bridge", mac: { address: NO_NEIGHBOUR }, target: { dev: "vnet7" } }];
	const def = { os: { type: { arch: "x86_64" } }, devices: { channels, controllers, disks, interfaces } };
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

const READ_ONLY: CallContext = { ...CONTEXT, readOnly: true };

test("file systems are frozen, thawed and trimmed, as many as the agent says", async () => {
	await using own = await guest({
		"guest-fsfreeze-freeze": '{"return": 3}',
		"guest-fsfreeze-freeze-list": '{"return": 1}',
		"guest-fsfreeze-thaw": '{"return": "three"}',
		"guest-fstrim": '{"return": {"paths": []}}',
	});
	const { domain, asked } = own;
	assert.equal(await agentOperations.fsFreeze(domain, [], 0, CONTEXT), 3);
	assert.equal(await agentOperations.fsFreeze(domain, ["/home"], 0, CONTEXT), 1);
	await assert.rejects(
		agentOperations.fsThaw(domain, [], 0, CONTEXT),
		isVirtError("INTERNAL_ERROR", "malformed return value"),
	);
	await agentOperations.fsTrim(domain, undefined, 1n << 60n, 0, CONTEXT);
	assert.deepEqual(asked, [
		'{"execute":"guest-fsfreeze-freeze"}',
		'{"execute":"guest-fsfreeze-freeze-list","arguments":{"mountpoints":["/home"]}}',
		'{"execute":"guest-fsfreeze-thaw"}',
		'{"execute":"guest-fstrim","arguments":{"minimum":1152921504606846976}}',
	]);
	await assert.rejects(
		agentOperations.fsThaw(domain, ["/"], 0, CONTEXT),
		isVirtError("ARGUMENT_UNSUPPORTED", "specifying mountpoints is not supported"),
	);
	await assert.rejects(
		agentOperations.fsTrim(domain, "/", 0n, 0, CONTEXT),
		isVirtError("ARGUMENT_UNSUPPORTED", "Specifying mount point is not supported for now"),
	);
});

/** A disk as the agent tells of it, in slot `slot`. */
const place = (slot: number, unit: number, more: object = {}) => ({
	"pci-controller": { domain: 0, bus: 0, slot, function: slot === 31 ? 2 : 0 },
	"bus-type": "scsi",
	bus: 0,
	target: 0,
	unit,
	...more,
});
const FILESYSTEMS = [
	{ name: "sdb1", mountpoint: "/data", type: "xfs", disk: [place(31, 1), place(3, 1), place(9, 0)] },
	{
		name: "vda1",
		mountpoint: "/",
		type: "ext4",
		"used-bytes": 10,
		"total-bytes": 20,
		disk: [place(4, 0, { serial: "S1", dev: "/dev/vda1" })],
	},
];
const answer = (value: unknown): string => JSON.stringify({ return: value });

test("file systems come in the order of mounting, with the definition's disks under them", async () => {
	await using own = await guest({ "guest-get-fsinfo": answer(FILESYSTEMS) });
	assert.deepEqual(await agentOperations.filesystems(own.domain, 0, CONTEXT), [
		{ mountpoint: "/", name: "vda1", type: "ext4", targets: ["vda"] },
		{ mountpoint: "/data", name: "sdb1", type: "xfs", targets: ["sdb", "sda"] },
	]);
	await using broken = await guest({ "guest-get-fsinfo": answer([{ name: "x", mountpoint: "/", type: 7 }]) });
	await assert.rejects(
		agentOperations.filesystems(broken.domain, 0, CONTEXT),
		isVirtError("INTERNAL_ERROR", "'type' missing in reply of guest-get-fsinfo"),
	);
});

const REFUSED = '{"error": {"class": "CommandNotFound", "desc": "unknown"}}';
const INTERFACES = [
	{ name: "lo", "ip-addresses": [{ "ip-address-type": "ipv4", "ip-address": "127.0.0.1", prefix: 8 }] },
	{
		name: "eth0",
		"hardware-address": "52:54:00:12:34:56",
		"ip-addresses": [{ "ip-address-type": "ipv4", "ip-address": "192.0.2.7", prefix: 24 }],
	},
	{
		name: "eth0:1",
		"hardware-address": "52:54:00:12:34:56",
		"ip-addresses": [{ "ip-address-type": "ipv6", "ip-address": "2001:db8::7", prefix: 64 }],
	},
	{ name: "eth1", "hardware-address": "52:54:00:12:34:57" },
];

test("addresses are the agent's, the host's neighbours', or nobody's where virtual networks would know", async () => {
	await using own = await guest({ "guest-network-get-interfaces": answer(INTERFACES) });
	const ask = (source: number, context = CONTEXT) => agentOperations.interfaceAddresses(own.domain, source, 0, context);
	assert.deepEqual(await ask(1), [
		{ name: "lo", mac: undefined, addresses: [{ family: "ipv4", address: "127.0.0.1", prefix: 8 }] },
		{
			name: "eth0",
			mac: "52:54:00:12:34:56",
			addresses: [
				{ family: "ipv4", address: "192.0.2.7", prefix: 24 },
				{ family: "ipv6", address: "2001:db8::7", prefix: 64 },
			],
		},
		{ name: "eth1", mac: "52:54:00:12:34:57", addresses: [] },
	]);
	assert.deepEqual(await ask(2, READ_ONLY), []);
	await assert.rejects(ask(1, READ_ONLY), isVirtError("OPERATION_DENIED", "virDomainInterfaceAddresses"));
	assert.deepEqual(await ask(0, READ_ONLY), []);
	Object.assign(own.run.live.def.devices.interfaces[0] ?? {}, { type: "network" });
	await assert.rejects(ask(0), isVirtError("NO_CONNECT", "network:///system"));
	await assert.rejects(ask(3), isVirtError("ARGUMENT_UNSUPPORTED", "Unknown IP address data source 3"));
});

test("what the agent knows of the guest comes as libvirt's parameters; what it cannot tell is left out unless asked for", async () => {
	await using own = await guest({
		"guest-get-users": answer([{ user: "root", "login-time": 1_700_000_000.25 }]),
		"guest-get-osinfo": answer({ id: "debian", "kernel-release": "6.1" }),
		"guest-get-timezone": answer({ zone: "CET", offset: 3600 }),
		"guest-get-host-name": answer({ "host-name": "inside" }),
		"guest-get-fsinfo": answer(FILESYSTEMS.slice(1)),
		"guest-get-disks": answer([
			{ name: "/dev/vda1", partition: true, dependencies: ["/dev/vda"] },
			{ name: "/dev/vda", partition: false, dependencies: [], address: place(4, 0, { serial: "S1" }) },
		]),
		"guest-network-get-interfaces": REFUSED,
	});
	const ask = async (types: number) =>
		Object.fromEntries(
			(await agentOperations.guestInfo(own.domain, types, 0, CONTEXT)).map(({ field, value }) => [field, value.value]),
		);
	assert.deepEqual(await ask(0), {
		"user.count": 1,
		"user.0.name": "root",
		"user.0.login-time": 1_700_000_000_250n,
		"os.id": "debian",
		"os.kernel-release": "6.1",
		"timezone.name": "CET",
		"timezone.offset": 3600,
		hostname: "inside",
		"fs.count": 1,
		"fs.0.name": "vda1",
		"fs.0.mountpoint": "/",
		"fs.0.fstype": "ext4",
		"fs.0.total-bytes": 20n,
		"fs.0.used-bytes": 10n,
		"fs.0.disk.count": 1,
		"fs.0.disk.0.alias": "vda",
		"fs.0.disk.0.serial": "S1",
		"fs.0.disk.0.device": "/dev/vda1",
		"disk.count": 2,
		"disk.0.name": "/dev/vda1",
		"disk.0.partition": true,
		"disk.0.dependency.count": 1,
		"disk.0.dependency.0.name": "/dev/vda",
		"disk.1.name": "/dev/vda",
		"disk.1.partition": false,
		"disk.1.serial": "S1",
		"disk.1.alias": "vda",
	});
	assert.deepEqual(await ask(8), { hostname: "inside" });
	await assert.rejects(ask(64), isVirtError("INTERNAL_ERROR", "'guest-network-get-interfaces': unknown"));
	await assert.rejects(ask(0x180), isVirtError("INVALID_ARG", "unsupported guest information types '0x180'"));
});

test("passwords and SSH keys go to the agent as it wants them", async () => {
	await using own = await guest({
		"guest-set-user-password": answer({}),
		"guest-ssh-get-authorized-keys": answer({ keys: ["ssh-ed25519 A a", "ssh-ed25519 B b"] }),
		"guest-ssh-add-authorized-keys": answer({}),
		"guest-ssh-remove-authorized-keys": answer({}),
	});
	const { domain, asked } = own;
	await agentOperations.setUserPassword(domain, { user: "root", password: "geheim" }, 0, CONTEXT);
	await agentOperations.setUserPassword(domain, { user: "root", password: "$6$x" }, 1, CONTEXT);
	assert.deepEqual(await agentOperations.sshKeys(domain, "root", 0, CONTEXT), ["ssh-ed25519 A a", "ssh-ed25519 B b"]);
	const set = (keys: string[], flags: number) =>
		agentOperations.setSshKeys(domain, { user: "root", keys }, flags, CONTEXT);
	await set(["K"], 0);
	await set(["K"], 1);
	await set(["K"], 2);
	assert.deepEqual(
		asked.map((line) => JSON.parse(line).arguments),
		[
			{ crypted: false, username: "root", password: "Z2VoZWlt" },
			{ crypted: true, username: "root", password: "JDYkeA==" },
			{ username: "root" },
			{ username: "root", keys: ["K"], reset: true },
			{ username: "root", keys: ["K"], reset: false },
			{ username: "root", keys: ["K"] },
		],
	);
	await assert.rejects(set(["K"], 3), isVirtError("INVALID_ARG", "mutually exclusive"));
	await assert.rejects(
		set([], 1),
		isVirtError("INVALID_ARG", "keys in virDomainAuthorizedSSHKeysSet must not be NULL"),
	);
});

test("how long answers are waited for can be set, and is kept where nothing runs", async () => {
	await using own = await guest({});
	const { domain, run } = own;
	await assert.rejects(
		async () => agentOperations.setAgentTimeout(domain, -3, 0, CONTEXT),
		isVirtError("INVALID_ARG", "guest agent timeout '-3' is less than the minimum '-2'"),
	);
	domain.run = undefined;
	await agentOperations.setAgentTimeout(domain, 0, 0, CONTEXT);
	domain.run = run;
	await assert.rejects(
		agentOperations.fsFreeze(domain, [], 0, CONTEXT),
		isVirtError("AGENT_UNRESPONSIVE", "Guest agent not available for now"),
	);
});
