// Performance counters of a guest: which are kept, of the running guest and as stored.

import type { DomainOperations } from "@virtkit/core/domain-operations";
import { param, type TypedParam } from "@virtkit/core/typed-params";
import { openPerfEvent, type PerfCounter, type PerfEventName } from "@virtkit/host/perf-event";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { PERF_EVENTS } from "@virtkit/model/domain/perf";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { changeConfig, changeLive, impactOf, oneDefinition } from "./impact.ts";
import { type ParameterType, readParameters } from "./read-parameters.ts";

/** The counters of each running guest that has any. */
const COUNTERS = new WeakMap<Run, Map<PerfEventName, PerfCounter>>();

const KNOWN = Object.fromEntries(PERF_EVENTS.map((name) => [name, "boolean"])) as Record<PerfEventName, ParameterType>;

const isWanted = (def: DomainDef, name: PerfEventName): boolean =>
	def.perf?.event.some((event) => event.name === name && event.enabled) === true;

function countersOf(run: Run): Map<PerfEventName, PerfCounter> {
	const known = COUNTERS.get(run);
	if (known) return known;
	const made = new Map<PerfEventName, PerfCounter>();
	COUNTERS.set(run, made);
	run.resources.defer("performance counters", () => {
		for (const counter of made.values()) counter[Symbol.dispose]();
		made.clear();
	});
	return made;
}

function enable(run: Run, name: PerfEventName): void {
	const counters = countersOf(run);
	if (!counters.has(name)) counters.set(name, openPerfEvent(name, run.process?.pid ?? 0));
}

function disable(run: Run, name: PerfEventName): void {
	const counters = countersOf(run);
	counters.get(name)?.[Symbol.dispose]();
	counters.delete(name);
}

/** Begins the counters that the guest's definition wants. Throws what openPerfEvent does. */
export function startCounters(run: Run): void {
	for (const name of PERF_EVENTS) if (isWanted(run.live.def, name)) enable(run, name);
}

/** What the guest's counters are at, in libvirt's order. */
export function perfStatistics(run: Run): TypedParam[] {
	const counters = COUNTERS.get(run);
	if (!counters) return [];
	return PERF_EVENTS.flatMap((name) => {
		const counter = counters.get(name);
		return counter ? [param.ullong(`perf.${name}`, counter.read())] : [];
	});
}

function perfEvents(domain: QemuDomain, flags: number): TypedParam[] {
	const { def, run } = oneDefinition(domain, flags);
	const isEnabled = (name: PerfEventName): boolean =>
		run ? COUNTERS.get(run)?.has(name) === true : isWanted(def, name);
	return PERF_EVENTS.map((name) => param.boolean(name, isEnabled(name)));
}

function keep(def: DomainDef, name: PerfEventName, enabled: boolean): void {
	const others = def.perf?.event.filter((event) => event.name !== name) ?? [];
	const event = [...others, { name, enabled }];
	event.sort((one, other) => PERF_EVENTS.indexOf(one.name) - PERF_EVENTS.indexOf(other.name));
	def.perf = { event };
}

async function setPerfEvents(
	driver: Driver,
	domain: QemuDomain,
	params: readonly TypedParam[],
	flags: number,
): Promise<void> {
	const wishes = readParameters(params, KNOWN);
	const { run, config } = impactOf(domain, flags);
	if (run)
		for (const [name, wanted] of wishes) {
			if (wanted === true) enable(run, name);
			else disable(run, name);
			changeLive(driver, domain, run, (def) => keep(def, name, wanted === true));
		}
	if (config)
		await changeConfig(driver, domain, (def) => {
			for (const [name, wanted] of wishes) keep(def, name, wanted === true);
		});
}

export const perfOperations = (driver: Driver): Pick<DomainOperations<QemuDomain>, "perfEvents" | "setPerfEvents"> => ({
	perfEvents,
	setPerfEvents: (domain, params, flags) => setPerfEvents(driver, domain, params, flags),
});
