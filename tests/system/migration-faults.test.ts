// What a migration comes to when something breaks in it: a table of where and what, each led step by step over the wire.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, readdirSync, readFileSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect as connectSocket, createServer, type Socket } from "node:net";
import { test } from "node:test";
import type { RpcClient } from "@virtkit/client/rpc-client";
import { connect } from "@virtkit/client/sdk/connection";
import { migrateTo } from "@virtkit/client/sdk/migrate";
import { findProcesses } from "@virtkit/host/process";
import { listeningPorts } from "@virtkit/qemu/lifecycle/ports";
import { groupsOf, type TestDaemon } from "@virtkit/testing/daemon";
import { startDaemonPair } from "@virtkit/testing/daemon-pair";
import { tinyGuest, until } from "@virtkit/testing/qemu-driver";

/** How far the migration is when it breaks. */
const POINTS = {
	begun: "once it has begun",
	prepared: "when the destination waits for the guest",
	sending: "while the guest is sent",
	sent: "when the guest is sent and nobody has let it run",
	arrived: "when the guest runs over there and the source has not heard of it",
} as const;
type Point = keyof typeof POINTS;

const FAULTS = {
	"source daemon": "the source's daemon is killed",
	"target daemon": "the destination's daemon is killed",
	"source QEMU": "the source's QEMU is killed",
	"target QEMU": "the destination's QEMU is killed",
	link: "the link between the two QEMUs is cut",
	"target disk": "another program keeps the destination's disk",
	"target disk gone": "the destination's disk is gone",
} as const;
type Fault = keyof typeof FAULTS;

/** Where the guest runs afterwards. `held` is at the destination, and stands still at the source until that is told. */
type Outcome = "source" | "target" | "held" | "nowhere";
const OUTCOMES: Readonly<Record<Outcome, string>> = {
	source: "runs on at the source alone",
	target: "runs at the destination alone",
	held: "runs at the destination, and the source keeps it still until it is told so",
	nowhere: "is over, as both sides say",
};

/** What is not there yet cannot break; what has done its part breaks nothing. */
const TABLE: Readonly<Record<Point, Partial<Record<Fault, Outcome>>>> = {
	begun: {
		"source daemon": "source",
		"target daemon": "source",
		"source QEMU": "nowhere",
		"target disk": "source",
		"target disk gone": "source",
	},
	prepared: {
		"source daemon": "source",
		"target daemon": "source",
		"source QEMU": "nowhere",
		"target QEMU": "source",
		link: "source",
		"target disk": "source",
	},
	sending: {
		"source daemon": "source",
		"target daemon": "source",
		"source QEMU": "nowhere",
		"target QEMU": "source",
		link: "source",
		"target disk": "source",
	},
	sent: {
		"source daemon": "held",
		"target daemon": "source",
		"source QEMU": "target",
		"target QEMU": "source",
		link: "target",
		"target disk": "source",
	},
	arrived: {
		"source daemon": "held",
		"target daemon": "target",
		"source QEMU": "target",
		"target QEMU": "nowhere",
		link: "target",
	},
};

/** At 1 MiB a second even the marks of that many empty pages take a while. */
const MEMORY_MIB = 2048;
const DISK_BYTES = 1 << 20;
/** What a step may take on a busy machine. */
const DEADLINE_MS = 60_000;

const [source, target] = await startDaemonPair();

const guests = ({ root }: TestDaemon) => findProcesses(`${root}/lib/qemu/domain-`);

const state = (daemon: TestDaemon): Promise<string> =>
	daemon.virsh("domstate", "guest", "--reason").then(
		(text) => text.trim(),
		() => "none",
	);

/** What a daemon has for guests that run: files and sockets. */
const traces = (daemon: TestDaemon): string[] =>
	["run", "lib"].flatMap((folder) =>
		readdirSync(daemon.file(folder), { recursive: true, encoding: "utf8" })
			.map((path) => `${folder}/${path}`)
			.filter((path) => !/^lib\/(cache|definitions)/.test(path)),
	);

/** Control groups of guests below those. */
const guestGroups = (groups: Iterable<string>): string[] =>
	[...groups]
		.filter((group) => existsSync(group))
		.flatMap((group) => readdirSync(group, { withFileTypes: true }))
		.filter((entry) => entry.isDirectory())
		.map(({ name }) => name);

/** Bytes between the two QEMUs, by a way that can be cut. */
async function linkTo(port: number) {
	const sockets = new Set<Socket>();
	let bytes = 0;
	const server = createServer((near) => {
		const far = connectSocket(port, "127.0.0.1");
		for (const [one, other] of [
			[near, far],
			[far, near],
		] as const) {
			sockets.add(one);
			one.on("error", () => undefined).on("close", () => other.destroy());
			one.pipe(other);
		}
		near.on("data", ({ length }) => {
			bytes += length;
		});
	}).listen(0, "127.0.0.1");
	await once(server, "listening");
	return {
		port: (server.address() as AddressInfo).port,
		used: () => bytes > 0,
		cut: () => {
			for (const socket of sockets) socket.destroy();
			server.close();
		},
	};
}

/** Another QEMU that has the disk to write to, which it shares with nobody. */
async function keepDisk(path: string): Promise<ChildProcess> {
	const options = [
		...["-S", "-display", "none", "-nodefaults", "-m", "16", "-accel", "tcg", "-qmp", "stdio"],
		...["-drive", `file=${path},format=raw,if=virtio`],
	];
	const child = spawn("qemu-system-x86_64", options, { stdio: ["pipe", "pipe", "inherit"] });
	child.stdin.write('{"execute":"qmp_capabilities"}\n');
	let output = "";
	child.stdout.on("data", (data) => {
		output += String(data);
	});
	await until(() => output.includes("return"), "that the other QEMU has the disk", DEADLINE_MS);
	return child;
}

/** One migration: what it goes over, what breaks it, and what there was before it. */
class Broken {
	readonly #fault: Fault;
	readonly point: Point;
	readonly disks = { source: source.file("disk"), target: target.file("disk") };
	link: Awaited<ReturnType<typeof linkTo>> | undefined;
	/** Where the destination's QEMU listens. */
	port = 0;
	keeper: ChildProcess | undefined;
	/** Of the two daemons' guests. */
	readonly groups = new Set<string>();
	done = false;

	constructor(point: Point, fault: Fault) {
		this.point = point;
		this.#fault = fault;
		for (const disk of Object.values(this.disks)) {
			writeFileSync(disk, "");
			truncateSync(disk, DISK_BYTES);
			chmodSync(disk, 0o666);
		}
	}

	async start(): Promise<string> {
		const devices = (disk: string) =>
			`<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${disk}'/><target dev='vda' bus='virtio'/></disk>`;
		const xml = (disk: string) => tinyGuest("guest", { devices: devices(disk) }).replace(">32<", `>${MEMORY_MIB}<`);
		await source.virshWith(xml(this.disks.source), "define");
		await source.virsh("start", "guest");
		const defined = await source.virsh("dumpxml", "guest", "--migratable");
		return defined.replace(this.disks.source, this.disks.target);
	}

	async breaks(): Promise<void> {
		this.done = true;
		for (const daemon of [source, target])
			for (const group of groupsOf(guests(daemon).map(({ pid }) => pid))) this.groups.add(group);
		if (this.#fault === "link") return this.link?.cut();
		if (this.#fault === "target disk gone") return unlinkSync(this.disks.target);
		if (this.#fault === "target disk") {
			this.keeper = await keepDisk(this.disks.target);
			return this.hurry();
		}
		const [side, what] = this.#fault.split(" ");
		const daemon = side === "source" ? source : target;
		if (what === "daemon") return daemon.stop("SIGKILL");
		for (const { pid } of guests(daemon)) process.kill(pid, "SIGKILL");
	}

	/** What goes on in spite of the fault need not be slow any more. */
	async hurry(): Promise<void> {
		const command = { execute: "migrate-set-parameters", arguments: { "max-bandwidth": 1e9 } };
		await source.virsh("qemu-monitor-command", "guest", JSON.stringify(command)).catch(() => undefined);
	}

	/** Whatever came of it, nothing is left for the next one. */
	async [Symbol.asyncDispose](): Promise<void> {
		this.link?.cut();
		this.keeper?.kill("SIGKILL");
		await ready();
		for (const daemon of [source, target])
			for (const command of ["destroy", "undefine"]) await daemon.tryVirsh(command, "guest");
	}
}

/** Starts the daemon again that was killed. */
async function ready(): Promise<void> {
	for (const daemon of [source, target]) if (!isUp(daemon)) await daemon.start();
}

type Call = (name: string, args: unknown) => Promise<unknown>;

/** Has something done before or after calls of the client. */
function watch(rpc: RpcClient, around: (name: string, call: () => Promise<unknown>) => Promise<unknown>): void {
	const call = rpc.call.bind(rpc) as Call;
	Object.assign(rpc, { call: (name: string, args: unknown) => around(name, () => call(name, args)) });
}

/** Whether the destination's note of the guest says that its arrival is settled. */
function settled(): boolean {
	try {
		return !readFileSync(target.file("run/qemu/guest.xml"), "utf8").includes("moving=");
	} catch {
		return false;
	}
}

/** Leads the migration as a client does, and breaks it where it is to break; how the client took it. */
async function lead(broken: Broken, xml: string): Promise<string> {
	await using here = await connect(source.uri);
	await using there = await connect(target.uri);
	const at = async (point: Point) => {
		if (broken.point === point) await broken.breaks();
	};
	watch(here.rpc, async (name, call) => {
		const answer = call();
		if (name === "DOMAIN_MIGRATE_PERFORM3_PARAMS" && broken.point === "sending") {
			const over = answer.then(
				() => true,
				() => true,
			);
			const begun = async () => broken.link?.used() || (await Promise.race([over, Promise.resolve(false)]));
			await until(begun, "that it is being sent", DEADLINE_MS);
			await at("sending");
		}
		await answer;
		if (name === "DOMAIN_MIGRATE_BEGIN3_PARAMS") await at("begun");
		if (name === "DOMAIN_MIGRATE_PERFORM3_PARAMS") await at("sent");
		return answer;
	});
	watch(there.rpc, async (name, call) => {
		const answer = await call();
		if (name === "DOMAIN_MIGRATE_PREPARE3_PARAMS") {
			const { uriOut } = answer as { uriOut: string };
			broken.port = Number(/\d+$/.exec(uriOut)?.[0]);
			broken.link = await linkTo(broken.port);
			Object.assign(answer as object, { uriOut: `tcp://127.0.0.1:${broken.link.port}` });
			await at("prepared");
		}
		if (name === "DOMAIN_MIGRATE_FINISH3_PARAMS" && broken.point === "arrived") {
			await until(settled, "that the arrival is settled", DEADLINE_MS);
			await at("arrived");
		}
		return answer;
	});
	const text = (field: string, value: string) => ({ field, value: { type: 7 as const, value } });
	const params = [text("destination_xml", xml), text("migrate_uri", "tcp://127.0.0.1")];
	const slow = { field: "bandwidth", value: { type: 4 as const, value: 1n } };
	const guest = await here.domains.get("guest");
	const bounded = broken.point === "sending" ? [...params, slow] : params;
	try {
		await migrateTo(here.rpc, guest, there.rpc, bounded, { live: true, unsafe: true });
		return "done";
	} catch (error) {
		return String(error);
	}
}

/** Tells the source that the guest arrived, as one who led the migration and knows. */
async function tellArrival(): Promise<void> {
	await using here = await connect(source.uri);
	const request = { cookieIn: new Uint8Array(), params: [], flags: 1, cancelled: 0 };
	await (await here.domains.get("guest")).call("DOMAIN_MIGRATE_CONFIRM3_PARAMS", request);
}

/** Where the guest is once both daemons are there, in the words of the table. */
async function whereItRuns(): Promise<string> {
	const [here, there] = [await state(source), await state(target)];
	if (here === "paused (migrating)" && there.startsWith("running")) return "held";
	if (here.startsWith("running") && there === "none" && guests(target).length === 0) return "source";
	if (there.startsWith("running") && here.startsWith("shut off") && guests(source).length === 0) return "target";
	if (here.startsWith("shut off") && there === "none" && guests(source).length + guests(target).length === 0)
		return "nowhere";
	return `${here} at the source, ${there} at the destination`;
}

/** Where the guest comes to run: the outcome, or what it is instead. */
async function settledState(outcome: Outcome): Promise<string> {
	let found = "";
	await until(async () => (found = await whereItRuns()) === outcome, outcome, DEADLINE_MS).catch(() => undefined);
	return found;
}

for (const point of Object.keys(POINTS) as Point[])
	for (const [fault, outcome] of Object.entries(TABLE[point]) as [Fault, Outcome][])
		test(`${FAULTS[fault]} ${POINTS[point]}: the guest ${OUTCOMES[outcome]}`, async () => {
			const before = { source: traces(source), target: traces(target) };
			await using broken = new Broken(point, fault);
			const xml = await broken.start();
			const told = await lead(broken, xml);
			assert.ok(broken.done, "nothing broke");
			await ready();
			const found = await settledState(outcome);
			if (found !== outcome) console.log(`${source.logs()}\n${target.logs()}`);
			assert.equal(found, outcome, `${found}; the client was told: ${told}`);
			if (outcome === "held") await tellArrival();
			if (outcome === "source") await source.virsh("destroy", "guest");
			if (outcome === "target" || outcome === "held") await target.virsh("destroy", "guest");
			await source.virsh("undefine", "guest");
			assert.deepEqual([guests(source), guests(target)], [[], []]);
			assert.deepEqual({ source: traces(source), target: traces(target) }, before);
			assert.deepEqual(guestGroups(broken.groups), []);
			assert.ok(broken.port === 0 || !listeningPorts().has(broken.port), `port ${broken.port} is taken`);
		});

function isUp({ pid }: TestDaemon): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch {
		return false;
	}
}
