// Virtual CPUs: how many are there at start, the state of each where the definition tells them apart, their pins.

import { VirtError } from "@virtkit/base/errors";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { VcpuStateDef } from "@virtkit/model/domain/vcpu";
import { documentError, positionOf } from "@virtkit/xml/read";
import type { DefineContext } from "../devices/entry.ts";

/** Virtual CPUs that the guest can have. */
export function maxVcpus(def: DomainDef): number {
	return def.vcpu.count ?? 1;
}

/** Virtual CPUs that the guest has at start. */
export function onlineVcpus(def: DomainDef): number {
	return def.vcpus.length > 0 ? def.vcpus.filter(({ enabled }) => enabled).length : (def.vcpu.current ?? maxVcpus(def));
}

/** Fills in the count, and the state of each CPU where any is given. Throws for counts that contradict each other. */
export function countVcpus(def: DomainDef): void {
	const count = (def.vcpu.count ??= 1);
	if (def.vcpus.length === 0) {
		if ((def.vcpu.current ?? count) > count)
			throw documentError(
				positionOf(def.vcpu),
				`maximum vCPU count ${count} must not be less than current vCPU count ${def.vcpu.current}`,
				"CONFIG_UNSUPPORTED",
			);
	} else def.vcpus = eachVcpu(def, count);
	const online = onlineVcpus(def);
	def.vcpu.current = online === count ? undefined : online;
	completeCputune(def, count);
}

function eachVcpu(def: DomainDef, count: number): VcpuStateDef[] {
	const given = new Map<number, VcpuStateDef>();
	for (const state of def.vcpus) {
		if (state.id >= count)
			throw documentError(positionOf(state), `vcpu id '${state.id}' is out of range of maximum vcpu count ${count}`);
		given.set(state.id, state);
	}
	return Array.from({ length: count }, (_, id) => given.get(id) ?? { id, enabled: false });
}

/** Pins of CPUs that the guest cannot have are dropped, pins of I/O threads that it has not are refused. */
function completeCputune(def: DomainDef, count: number): void {
	const { cputune } = def;
	if (!cputune) return;
	cputune.vcpupin = cputune.vcpupin.filter(({ vcpu }) => vcpu < count);
	refuseTwice(cputune.vcpupin, ({ vcpu }) => vcpu, "vcpupin for vcpu");
	refuseTwice(cputune.iothreadpin, ({ iothread }) => iothread, "iothreadpin for same iothread");
	const threads = new Set(def.iothreadids.map(({ id }) => id));
	for (const pin of cputune.iothreadpin)
		if (!threads.has(pin.iothread))
			throw documentError(positionOf(pin), `Cannot find 'iothread' : ${pin.iothread}`, "CONFIG_UNSUPPORTED");
	cputune.iothreadpin.sort((a, b) => indexOfThread(def, a.iothread) - indexOfThread(def, b.iothread));
	checkSchedulers(def, count, threads);
	for (const tune of [...cputune.cachetune, ...cputune.memorytune])
		tune.vcpus = tune.vcpus.filter((vcpu) => vcpu < count);
}

const indexOfThread = (def: DomainDef, id: number): number => def.iothreadids.findIndex((thread) => thread.id === id);

function refuseTwice<T extends object>(all: readonly T[], keyOf: (one: T) => number, what: string): void {
	const seen = new Set<number>();
	for (const one of all) {
		if (seen.has(keyOf(one)))
			throw documentError(positionOf(one), `duplicate ${what} '${keyOf(one)}'`, "INTERNAL_ERROR");
		seen.add(keyOf(one));
	}
}

function checkSchedulers(def: DomainDef, count: number, threads: ReadonlySet<number>): void {
	const { vcpusched = [], iothreadsched = [] } = def.cputune ?? {};
	const groups = [
		{ ids: vcpusched.map(({ vcpus }) => vcpus[0] ?? 0), has: (id: number) => id < count, name: "vcpu" },
		{
			ids: iothreadsched.map(({ iothreads }) => iothreads[0] ?? 0),
			has: (id: number) => threads.has(id),
			name: "iothread",
		},
	];
	for (const { ids, has, name } of groups)
		for (const [index, id] of ids.entries()) {
			if (!has(id))
				throw name === "vcpu"
					? new VirtError("XML_ERROR", `vcpusched attribute 'vcpus' names vcpu ${id}, which the guest does not have`)
					: new VirtError("CONFIG_UNSUPPORTED", `Cannot find 'iothread' : ${id}`);
			if (ids.indexOf(id) !== index)
				throw new VirtError("XML_DETAIL", `'${name}sched' attributes '${name}s' must not overlap: ${id}`);
		}
}

/** Whether each CPU can be unplugged, where the definition tells CPUs apart (virDomainVcpuDefPostParse). */
export function completeVcpus({ def }: DefineContext): void {
	for (const state of def.vcpus) {
		state.hotpluggable ??= !state.enabled;
		if (!state.enabled && !state.hotpluggable)
			throw documentError(
				positionOf(state),
				`vcpu '${state.id}' is both offline and not hotpluggable`,
				"CONFIG_UNSUPPORTED",
			);
	}
}

/** The order in which CPUs are plugged must be one that QEMU can follow (qemuDomainDefVcpusPostParse). */
export function checkVcpuOrder({ def }: DefineContext): void {
	const [first, ...others] = def.vcpus;
	if (!first) return;
	const refuse = (message: string): never => {
		throw documentError(positionOf(first), message, "CONFIG_UNSUPPORTED");
	};
	if (!first.enabled) refuse("vcpu 0 can't be offline");
	if (first.hotpluggable) refuse("vcpu0 can't be hotpluggable");
	if (first.order !== undefined && first.order !== 1) refuse("vcpu0 must be enabled first");
	let previous = first;
	for (const state of others) {
		if (state.enabled && (state.order !== undefined) !== (first.order !== undefined))
			refuse("all vcpus must have either set or unset order");
		if (state.hotpluggable === false) {
			if (previous.hotpluggable) refuse("online non-hotpluggable vcpus need to be ordered prior to hotplugable vcpus");
			if ((previous.order ?? 0) > (state.order ?? 0))
				refuse("online non-hotpluggable vcpus must be ordered in ascending order");
		}
		previous = state;
	}
}
