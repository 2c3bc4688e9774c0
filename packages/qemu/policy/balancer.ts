// The balancer at work: every few seconds it reads host and guests, lets the policy decide, and moves balloons.

import { toVirtError } from "@virtkit/base/errors";
import {
	type BalanceMemory,
	type BalancePolicy,
	balance,
	DEFAULT_BALANCE,
	type Decision,
	type GuestState,
} from "@virtkit/core/policy/balance";
import { readMemoryPressure } from "@virtkit/host/facts/pressure";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { MEMORY_TAG, memoryFigures } from "../facts/memory-facts.ts";
import { balloonPath } from "../lifecycle/refresh.ts";
import type { DriverSettings } from "../settings.ts";
import { recordDecision } from "./journal.ts";
import { floorKib, wantedKib } from "./limits.ts";

const DEFAULT_INTERVAL_S = 5;
/** A guest's answer is waited for this long, ms: one whose monitor hangs must not hold up the others. */
const ANSWER_MS = 2000;
/** Figures older than this many intervals say nothing of how the guest is now. */
const STALE_INTERVALS = 4;

/** Runs until disposed; does nothing where it is not switched on (memory_balancer). */
export function startBalancer(driver: Driver): Disposable {
	if (!driver.settings.memoryBalancer) return { [Symbol.dispose]: () => undefined };
	const intervalMs = (driver.settings.memoryBalancerInterval ?? DEFAULT_INTERVAL_S) * 1000;
	let memory: BalanceMemory = new Map();
	let busy = false;
	const timer = setInterval(async () => {
		if (busy) return;
		busy = true;
		try {
			memory = await balanceOnce(driver, memory, intervalMs);
		} catch (error) {
			driver.log.error(`the memory balancer failed: ${toVirtError(error).message}`, { error });
		}
		busy = false;
	}, intervalMs);
	timer.unref();
	return { [Symbol.dispose]: () => clearInterval(timer) };
}

function policyOf({ memoryBalancerLow, memoryBalancerHigh }: DriverSettings): BalancePolicy {
	const { low, high, ...rest } = DEFAULT_BALANCE;
	const mark = (percent: number | undefined, share: number): number => (percent === undefined ? share : percent / 100);
	return { ...rest, low: mark(memoryBalancerLow, low), high: mark(memoryBalancerHigh, high) };
}

async function balanceOnce(driver: Driver, memory: BalanceMemory, intervalMs: number): Promise<BalanceMemory> {
	const subjects = new Map<string, QemuDomain>();
	for (const domain of driver.domains.all()) if (canBeMoved(domain)) subjects.set(domain.uuid, domain);
	const looked = await Promise.all([...subjects.values()].map((domain) => look(driver, domain, intervalMs)));
	const guests = looked.filter((guest) => guest !== undefined);
	const { totalKib, availableKib, some10 } = readMemoryPressure();
	const round = balance({ totalKib, availableKib, pressure: some10 }, guests, memory, policyOf(driver.settings));
	await Promise.all(round.decisions.map((decision) => carryOut(driver, subjects.get(decision.id), decision)));
	return round.memory;
}

/** A running guest with a balloon that nobody works on: a save or a migration has its own view of memory. */
function canBeMoved({ run, lock, stateName }: QemuDomain): boolean {
	return run?.phase === "up" && stateName === "running" && lock.free && balloonPath(run.live.def) !== undefined;
}

async function look(driver: Driver, domain: QemuDomain, intervalMs: number): Promise<GuestState | undefined> {
	const { run } = domain;
	if (run === undefined) return undefined;
	try {
		await haveFigures(run, intervalMs);
		const figures = new Map((await within(memoryFigures(run))).map(({ tag, value }) => [tag, Number(value)]));
		const actualKib = figures.get(MEMORY_TAG.actualBalloon);
		if (actualKib === undefined) return undefined;
		const age = Date.now() - (figures.get(MEMORY_TAG.lastUpdate) ?? 0) * 1000;
		const current = age < STALE_INTERVALS * intervalMs;
		return {
			id: domain.uuid,
			name: domain.name,
			actualKib,
			wantedKib: wantedKib(run),
			floorKib: floorKib(run, driver.settings),
			usableKib: current ? figures.get(MEMORY_TAG.usable) : undefined,
			swappedOutKib: current ? figures.get(MEMORY_TAG.swapOut) : undefined,
		};
	} catch {
		// A guest that ends or hangs takes no part.
		return undefined;
	}
}

const ASKED = new WeakSet<Run>();

/** Has the balloon tell of the guest, where its definition does not ask for it already. */
async function haveFigures(run: Run, intervalMs: number): Promise<void> {
	const path = balloonPath(run.live.def);
	if (path === undefined || ASKED.has(run) || run.live.def.devices.memballoon?.stats?.period) return;
	const value = Math.max(1, Math.round(intervalMs / 1000));
	await within(run.monitor.execute("qom-set", { path, property: "guest-stats-polling-interval", value }));
	ASKED.add(run);
}

async function within<T>(answer: Promise<T>): Promise<T> {
	const { promise, reject } = Promise.withResolvers<never>();
	const timer = setTimeout(() => reject(new Error("no answer in time")), ANSWER_MS);
	try {
		return await Promise.race([answer, promise]);
	} finally {
		clearTimeout(timer);
	}
}

async function carryOut(driver: Driver, domain: QemuDomain | undefined, decision: Decision): Promise<void> {
	const run = domain?.run;
	// Whoever came meanwhile is more important; the next round is soon.
	if (domain === undefined || run === undefined || !canBeMoved(domain)) return;
	try {
		using _job = await domain.lock.begin("modify", "the memory balancer");
		await within(run.monitor.execute("balloon", { value: decision.toKib * 1024 }));
		const { fromKib: from, toKib: to, reason } = decision;
		recordDecision(driver, domain, { kind: "balloon", from, to, reason });
	} catch (error) {
		driver.log.warn(`cannot move the balloon of '${domain.name}': ${toVirtError(error).message}`);
	}
}
