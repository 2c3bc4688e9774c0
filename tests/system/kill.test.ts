// The daemon is killed at random instants while clients work on its domains: nothing that was acknowledged may be lost or torn.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { bootDisk } from "@virtkit/testing/boot-disk";
import { groupsOf, startDaemon, type TestDaemon } from "@virtkit/testing/daemon";
import type { Known } from "./kill/facts.ts";
import {
	expectedFiles,
	guestProcesses,
	type ObservedDomain,
	observeDomains,
	observeFiles,
	ownerOf,
} from "./kill/observe.ts";
import { Random } from "./kill/random.ts";
import { acceptable, type Remembered, work } from "./kill/worker.ts";

const KILLS = Number(process.env.VIRTKIT_KILLS ?? 200);
const SEED = Number(process.env.VIRTKIT_SEED ?? Date.now() % 1_000_000);
const DOMAINS = 5;
/** A kill comes within so many milliseconds after one of so many operations was acknowledged to the clients. */
const BEFORE_KILL = { operations: 10, ms: 60 } as const;
/** An emulator that was being spawned when the daemon was killed is found and ended within some seconds. */
const TIDY_DEADLINE_MS = 10_000;

/** Asks for everything in a loop, reconnecting for ever, and prints what it never may see. */
const ONLOOKER = `
import sys, time, libvirt
import xml.etree.ElementTree as tree
libvirt.registerErrorHandler(lambda context, error: None, None)
conn = None
while True:
    try:
        conn = conn or libvirt.open(sys.argv[1])
        for domain in conn.listAllDomains():
            try:
                tree.fromstring(domain.XMLDesc())
            except tree.ParseError as error:
                print("torn:", error, flush=True)
            except libvirt.libvirtError as error:
                if error.get_error_code() == libvirt.VIR_ERR_XML_ERROR: print("torn:", error, flush=True)
                if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN: raise
        time.sleep(0.2)
    except libvirt.libvirtError:
        conn = None
        time.sleep(0.05)
`;

/** Starts the onlooker. It has seen what it printed. */
function look(uri: string) {
	const child = spawn("/usr/bin/python3", ["-c", ONLOOKER, uri], { stdio: ["ignore", "pipe", "inherit"] });
	let seen = "";
	child.stdout.setEncoding("utf8").on("data", (text: string) => {
		seen += text;
	});
	return {
		seen: () => seen,
		[Symbol.asyncDispose]: async () => {
			child.kill("SIGKILL");
			await once(child, "close");
		},
	};
}

const isUp = ({ facts: { state } }: { readonly facts: Known["facts"] }) => state !== "off";

function makeDomains(daemon: TestDaemon): Known[] {
	return Array.from({ length: DOMAINS }, (_, index): Known => {
		const disk = daemon.file(`disk${index}`);
		writeFileSync(disk, bootDisk(`guest ${index}`));
		return {
			uuid: `00000000-0000-4000-8000-00000000000${index}`,
			disk,
			image: daemon.file(`image${index}`),
			facts: { name: `guest${index}`, defined: false, title: 0, autostart: false, state: "off", managedSave: "none" },
			saved: "none",
			live: 0,
		};
	});
}

/** QEMU's words for a state: a guest stands still also before its first instruction and after its state was written. */
const QEMU_STATUS: Readonly<Record<Known["facts"]["state"], readonly string[]>> = {
	running: ["running"],
	paused: ["paused", "prelaunch", "postmigrate"],
	off: [] as string[],
} as const;

/** What can be compared of a domain: of one that is not there, nothing but that. */
function comparable({ facts }: Pick<Known, "facts">): unknown {
	if (!facts.defined && facts.state === "off") return "not there";
	return { ...facts, managedSave: facts.managedSave !== "none" };
}

/** The one of the acceptable states that the domain is in. */
function settle(remembered: Remembered, observed: ObservedDomain | undefined): Known {
	const is = JSON.stringify(observed === undefined ? "not there" : comparable(observed));
	const choices = acceptable(remembered);
	const found = choices.find((known) => JSON.stringify(comparable(known)) === is);
	if (found !== undefined) return found;
	const wanted = choices.map((known) => JSON.stringify(comparable(known))).join(" or ");
	assert.fail(`after '${remembered.pending?.operation.name ?? "nothing"}' under way: ${is} instead of ${wanted}`);
}

/** Checks a guest that runs: its one process, the same as before where it ran before, and that QEMU says the same of it. */
function checkGuest(
	{ id, qemuStatus, facts: { name, state } }: ObservedDomain,
	wasUp: boolean,
	before: ReadonlyMap<string, number[]>,
	now: ReadonlyMap<string, number[]>,
): void {
	const folder = `domain-${id}-${name}`;
	const processes = now.get(folder) ?? [];
	assert.equal(processes.length, 1, `'${name}' has processes ${processes.join(", ")}`);
	if (wasUp) assert.deepEqual(processes, before.get(folder), `'${name}' runs in another process than before`);
	assert.ok(QEMU_STATUS[state].includes(qemuStatus ?? ""), `'${name}' is ${state}, in QEMU ${qemuStatus}`);
}

/** Nothing lies or runs about that belongs to no domain; what was just being spawned is given its time. */
async function untilTidy(daemon: TestDaemon, observed: readonly ObservedDomain[], groups: readonly string[]) {
	const wanted = expectedFiles(observed, groups);
	const folders = observed.filter(isUp).map(({ id, facts: { name } }) => `domain-${id}-${name}`);
	const deadline = performance.now() + TIDY_DEADLINE_MS;
	for (;;) {
		const found = { ...observeFiles(daemon.root, groups), processes: [...guestProcesses(daemon.root).keys()].sort() };
		const expected = { ...wanted, processes: folders.sort() };
		if (JSON.stringify(found) === JSON.stringify(expected)) return;
		if (performance.now() > deadline) assert.deepEqual(found, expected);
		await delay(50);
	}
}

interface Figures {
	operations: number;
	readonly cut: Map<string, number>;
	/** Folders that hold the groups of guests. */
	readonly groups: Set<string>;
}

/** Lets a client of each domain work and kills the daemon under them; answers what they know then. */
async function killUnderWork(
	daemon: TestDaemon,
	domains: readonly Known[],
	random: Random,
	groups: Set<string>,
): Promise<Remembered[]> {
	const killed = new AbortController();
	const enough = Promise.withResolvers<void>();
	let left = random.below(BEFORE_KILL.operations);
	if (left === 0) enough.resolve();
	const acknowledged = () => {
		if (--left === 0) enough.resolve();
	};
	const working = domains.map((known) =>
		work(daemon.uri, known, { random: new Random(random.below(2 ** 31)), killed: killed.signal, acknowledged }),
	);
	const settled = Promise.all(working);
	settled.catch(() => undefined);
	await Promise.race([enough.promise, settled]);
	await delay(random.below(BEFORE_KILL.ms));
	for (const group of groupsOf([...guestProcesses(daemon.root).values()].flat())) groups.add(group);
	killed.abort();
	await daemon.stop("SIGKILL");
	return await settled;
}

/** Lets clients work, kills the daemon under them, starts it again, checks everything; answers what they know then. */
async function round(
	daemon: TestDaemon,
	domains: readonly Known[],
	random: Random,
	figures: Figures,
): Promise<Known[]> {
	const remembered = await killUnderWork(daemon, domains, random, figures.groups);
	const before = guestProcesses(daemon.root);
	await daemon.start();
	const observed = await observeDomains(daemon.uri);
	const now = guestProcesses(daemon.root);
	assert.equal(new Set(observed.map(({ uuid }) => uuid)).size, observed.length, "a domain is there twice");
	const result = remembered.map((one) => {
		figures.operations += one.done;
		const cut = one.pending?.operation.name;
		if (cut !== undefined) figures.cut.set(cut, (figures.cut.get(cut) ?? 0) + 1);
		const mine = observed.find(({ uuid }) => uuid === one.known.uuid);
		const known = settle(one, mine);
		if (mine !== undefined && isUp(mine)) checkGuest(mine, isUp(one.known), before, now);
		return known;
	});
	await untilTidy(daemon, observed, [...figures.groups]);
	for (const { disk, facts } of result)
		if (facts.state === "off") assert.equal(ownerOf(disk), process.getuid?.(), `'${disk}' was not given back`);
	return result;
}

test(`${KILLS} kills of the daemon at random instants lose, tear, orphan and double nothing`, async (t) => {
	const random = new Random(SEED);
	const figures: Figures = { operations: 0, cut: new Map(), groups: new Set() };
	await using daemon = await startDaemon();
	// Ended in order once, it leaves Node's compiled code to those that follow.
	await daemon.stop();
	await daemon.start();
	await using onlooker = look(daemon.uri);
	let domains = makeDomains(daemon);
	let kill = 0;
	try {
		for (; kill < KILLS; kill++) domains = await round(daemon, domains, random, figures);
		assert.equal(onlooker.seen(), "");
		assert.doesNotMatch(daemon.log(), /"level":[56]0/);
	} catch (error) {
		(error as Error).message += `\n(seed ${SEED}, kill ${kill + 1})`;
		t.diagnostic(daemon.log().slice(-10_000));
		throw error;
	}
	const cut = [...figures.cut].map(([name, count]) => `${name} ${count}`).join(", ");
	t.diagnostic(`seed ${SEED}: ${figures.operations} operations done; cut off: ${cut}`);
});
