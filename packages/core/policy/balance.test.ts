// The balancer against simulated hosts: steps, oscillating loads, starvation, balloons that do not follow, many guests.

import assert from "node:assert/strict";
import test from "node:test";
import { type BalanceMemory, balance, DEFAULT_BALANCE, type Decision, type GuestState } from "./balance.ts";

const MIB = 1024;
const GIB = 1024 * MIB;

interface Guest {
	readonly name: string;
	readonly wantedKib: number;
	readonly floorKib: number;
	/** What its programs use, KiB, by round. */
	load(round: number): number;
	/** False for one whose balloon does nothing. */
	readonly follows?: boolean;
	/** False for one that does not tell how it is. */
	readonly tells?: boolean;
	actualKib: number;
	swappedOutKib: number;
}

interface Round {
	readonly decisions: readonly Decision[];
	readonly availableKib: number;
	readonly actual: readonly number[];
}

const guest = (name: string, wanted: number, load: Guest["load"], more: Partial<Guest> = {}): Guest => ({
	name,
	wantedKib: wanted,
	floorKib: wanted / 4,
	load,
	actualKib: wanted,
	swappedOutKib: 0,
	...more,
});

/** Guests touch all the memory that they have, as a page cache does: the host gets back only what balloons take. */
function simulate(totalKib: number, others: (round: number) => number, guests: Guest[], rounds: number): Round[] {
	let memory: BalanceMemory = new Map();
	const history: Round[] = [];
	for (let round = 0; round < rounds; round++) {
		const states = guests.map((one): GuestState => {
			const free = one.actualKib - one.load(round);
			if (free < 0) one.swappedOutKib -= free;
			const { name, actualKib, wantedKib, floorKib, swappedOutKib } = one;
			const told = one.tells === false ? {} : { usableKib: Math.max(0, free), swappedOutKib };
			return { id: name, name, actualKib, wantedKib, floorKib, ...told };
		});
		const used = guests.reduce((sum, { actualKib }) => sum + actualKib, others(round));
		const availableKib = Math.max(0, totalKib - used);
		const step = balance({ totalKib, availableKib, pressure: used > totalKib ? 50 : 0 }, states, memory);
		memory = step.memory;
		for (const { id, toKib } of step.decisions) {
			const one = guests.find(({ name }) => name === id);
			if (one && one.follows !== false) one.actualKib = toKib;
		}
		for (const decision of step.decisions) checkLimits(decision, guests);
		history.push({ decisions: step.decisions, availableKib, actual: guests.map(({ actualKib }) => actualKib) });
	}
	return history;
}

/** What holds of every decision in every simulation. */
function checkLimits({ id, fromKib, toKib, reason }: Decision, guests: readonly Guest[]): void {
	const one = guests.find(({ name }) => name === id);
	assert.ok(one);
	assert.ok(toKib >= one.floorKib, `${id} below its floor`);
	assert.ok(toKib <= one.wantedKib, `${id} above what is wanted for it`);
	assert.notEqual(toKib, fromKib);
	assert.match(reason, /: it (gives|gets) /);
}

const lastOf = (history: readonly Round[]): Round => history.at(-1) ?? assert.fail("no rounds");

test("a host with enough memory leaves its guests alone", () => {
	const history = simulate(
		16 * GIB,
		() => 2 * GIB,
		[guest("a", 4 * GIB, () => GIB), guest("b", 4 * GIB, () => GIB)],
		50,
	);
	assert.ok(history.every(({ decisions }) => decisions.length === 0));
});

test("a step of the host's own need is met by idle guests, and given back when it ends", () => {
	const guests = [guest("idle", 6 * GIB, () => GIB), guest("busy", 6 * GIB, () => 5.8 * GIB)];
	const history = simulate(16 * GIB, (round) => (round >= 10 && round < 60 ? 5 * GIB : 0.5 * GIB), guests, 150);
	const during = history[55] ?? assert.fail();
	assert.ok(during.availableKib >= DEFAULT_BALANCE.low * 16 * GIB, "the host is out of need");
	assert.equal(during.actual[1], 6 * GIB, "a guest that uses all it has gives nothing");
	assert.deepEqual(lastOf(history).actual, [6 * GIB, 6 * GIB], "all is given back");
});

test("a steady state is steady: no moves back and forth", () => {
	const guests = ["a", "b", "c"].map((name) => guest(name, 4 * GIB, () => GIB));
	const history = simulate(13 * GIB, () => 2 * GIB, guests, 200);
	const late = history.slice(60).flatMap(({ decisions }) => decisions);
	assert.deepEqual(late, []);
});

test("a load that swings does not have a balloon swing with each of its beats", () => {
	const guests = ["a", "b"].map((name) => guest(name, 6 * GIB, () => GIB));
	const history = simulate(14 * GIB, (round) => (round % 4 < 2 ? 2.2 * GIB : 0.4 * GIB), guests, 200);
	for (const { name } of guests) {
		const moves = history.slice(40).flatMap(({ decisions }) => decisions.filter(({ id }) => id === name));
		const turns = moves.filter((one, index) => {
			const next = moves[index + 1];
			return next && Math.sign(one.toKib - one.fromKib) !== Math.sign(next.toKib - next.fromKib);
		});
		assert.ok(turns.length <= 160 / (DEFAULT_BALANCE.rest + 1), `${turns.length} turns`);
	}
});

test("a guest that comes to need its memory gets it before guests that only lack theirs", () => {
	const guests = [
		guest("waking", 6 * GIB, (round) => (round < 60 ? 0.5 * GIB : 4.5 * GIB)),
		guest("asleep", 6 * GIB, () => 0.5 * GIB),
	];
	const history = simulate(12 * GIB, () => 3 * GIB, guests, 250);
	const before = history[59] ?? assert.fail();
	assert.ok((before.actual[0] ?? 0) < 6 * GIB && (before.actual[1] ?? 0) < 6 * GIB);
	const [waking = 0, asleep = 0] = lastOf(history).actual;
	assert.ok(waking > 4.5 * GIB, "it has what it needs");
	assert.ok(asleep < waking);
	const late = history.slice(200).flatMap(({ decisions }) => decisions);
	assert.deepEqual(late, []);
});

test("nobody is taken below the floor, whatever the host lacks", () => {
	const guests = [guest("a", 4 * GIB, () => 0.1 * GIB), guest("b", 2 * GIB, () => 0.1 * GIB, { tells: false })];
	const history = simulate(5 * GIB, () => 4 * GIB, guests, 200);
	assert.deepEqual(
		lastOf(history).actual.map((kib, index) => kib - (guests[index]?.floorKib ?? 0) < 32 * MIB),
		[true, true],
	);
});

test("a balloon that does not follow is given up for a while, and others are asked", () => {
	const guests = [guest("dead", 6 * GIB, () => GIB, { follows: false }), guest("alive", 6 * GIB, () => GIB)];
	const history = simulate(12.5 * GIB, () => 0.4 * GIB, guests, 100);
	const asked = history.flatMap(({ decisions }) => decisions.filter(({ id }) => id === "dead"));
	assert.ok(asked.length < 60, `${asked.length} times asked`);
	assert.ok(lastOf(history).availableKib >= DEFAULT_BALANCE.low * 12.5 * GIB);
});

test("pressure counts before memory is out", () => {
	const state: GuestState = {
		id: "a",
		name: "a",
		actualKib: 4 * GIB,
		wantedKib: 4 * GIB,
		floorKib: GIB,
		usableKib: 3 * GIB,
	};
	const host = { totalKib: 8 * GIB, availableKib: 1.2 * GIB };
	assert.deepEqual(balance({ ...host, pressure: 0 }, [state], new Map()).decisions, []);
	const [decision] = balance({ ...host, pressure: 25 }, [state], new Map()).decisions;
	assert.match(decision?.reason ?? "", /^something waited for memory 25 % of the time: it gives /);
	// Where much is available, waiting has another cause.
	assert.deepEqual(balance({ ...host, availableKib: 6 * GIB, pressure: 25 }, [state], new Map()).decisions, []);
});

test("a hundred guests of all sizes come to rest with the host out of need", () => {
	const guests = Array.from({ length: 100 }, (_, index) =>
		guest(
			`g${index}`,
			(1 + (index % 7)) * 512 * MIB,
			(round) => (((index * 37 + Math.floor(round / 30) * 11) % 60) / 100) * 512 * MIB,
		),
	);
	const promised = guests.reduce((sum, { wantedKib }) => sum + wantedKib, 0);
	const history = simulate(promised, () => 0.1 * promised, guests, 300);
	assert.ok(history.slice(50).every(({ availableKib }) => availableKib >= 0.08 * promised));
});
