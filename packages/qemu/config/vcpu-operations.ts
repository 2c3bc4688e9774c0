// How many virtual CPUs a guest has and may have.

import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { VcpuStateDef } from "@virtkit/model/domain/vcpu";
import { fillNumaCells } from "../defaults/numa.ts";
import { maxVcpus, onlineVcpus } from "../defaults/vcpus.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { plugChosen, plugVcpus } from "../hotplug/vcpu.ts";
import { setAgentVcpus } from "./agent-vcpus.ts";
import { changeConfig, impactOf } from "./impact.ts";
import { parseOn, parseVcpus } from "./vcpu-list.ts";

/** virDomainVcpuFlags. */
export const VCPU_FLAG = { maximum: 4, guest: 8, hotpluggable: 16 } as const;

async function setVcpus(driver: Driver, domain: QemuDomain, count: number, flags: number): Promise<void> {
	if (count === 0)
		throw new VirtError("INVALID_ARG", "nvcpus in virDomainSetVcpusFlags must not be zero", { domain: "DOM" });
	const { run, config } = impactOf(domain, flags);
	if (flags & VCPU_FLAG.guest) return await setAgentVcpus(domain, count);
	if (flags & VCPU_FLAG.maximum) {
		if (run) throw new VirtError("OPERATION_UNSUPPORTED", "maximum vcpu count of a live domain can't be modified");
		refuseMaximum(domain.config.def, count);
		return await changeConfig(driver, domain, (def) => setMaximum(def, count));
	}
	if (run) {
		refuseBeyond(run.live.def, count, "live");
		if (config) refuseBeyond(domain.config.def, count, "persistent");
		await plugVcpus(driver, domain, run, count);
	}
	if (!config) return;
	refuseBeyond(domain.config.def, count, "persistent");
	await changeConfig(driver, domain, (def) => setOnline(def, count, (flags & VCPU_FLAG.hotpluggable) !== 0));
}

function refuseBeyond(def: DomainDef, count: number, what: "live" | "persistent"): void {
	const max = maxVcpus(def);
	if (count > max)
		throw new VirtError(
			"INVALID_ARG",
			`requested vcpus is greater than max allowable vcpus for the ${what} domain: ${count} > ${max}`,
		);
}

function refuseMaximum(def: DomainDef, count: number): void {
	const placed = def.cpu?.numa?.cell.reduce((sum, { cpus = [] }) => sum + cpus.length, 0) ?? 0;
	if (placed > count)
		throw new VirtError("INVALID_ARG", "Number of CPUs in <numa> exceeds the desired maximum vcpu count");
	const { topology } = def.cpu ?? {};
	if (topology && topology.sockets * (topology.dies ?? 1) * topology.cores * topology.threads !== count)
		throw new VirtError("INVALID_ARG", "CPU topology doesn't match the desired vcpu count");
}

/** Makes room for that many CPUs; those beyond are gone, new ones are offline. */
function setMaximum(def: DomainDef, count: number): void {
	const online = Math.min(onlineVcpus(def), count);
	forgetOrder(def);
	if (def.vcpus.length > 0)
		def.vcpus = Array.from({ length: count }, (_, id) => def.vcpus[id] ?? { id, enabled: false, hotpluggable: true });
	def.vcpu.count = count;
	setCurrent(def, def.vcpus.length > 0 ? onlineVcpus(def) : online);
	if (def.cputune) def.cputune.vcpupin = def.cputune.vcpupin.filter(({ vcpu }) => vcpu < count);
	fillNumaCells({ def });
}

/** Has that many CPUs there at start (qemuDomainSetVcpusConfig). */
function setOnline(def: DomainDef, count: number, hotpluggable: boolean): void {
	const online = onlineVcpus(def);
	if (hotpluggable && count > online && def.vcpus.length === 0)
		def.vcpus = Array.from({ length: maxVcpus(def) }, (_, id) => ({
			id,
			enabled: id < online,
			hotpluggable: id >= online,
		}));
	forgetOrder(def);
	if (count > online) plug(def, count - online, hotpluggable);
	else unplug(def, online - count);
	setCurrent(def, count);
}

function plug(def: DomainDef, more: number, hotpluggable: boolean): void {
	let left = more;
	let pluggable = hotpluggable;
	for (const state of def.vcpus) {
		if (state.enabled) {
			// Those that cannot be unplugged must come first.
			if (state.hotpluggable) pluggable = true;
		} else if (left-- > 0) {
			state.enabled = true;
			state.hotpluggable = pluggable;
		}
	}
}

function unplug(def: DomainDef, fewer: number): void {
	let left = fewer;
	for (const state of def.vcpus.toReversed()) {
		if (!state.enabled || left-- <= 0) continue;
		state.enabled = false;
		state.hotpluggable = true;
	}
}

function setCurrent(def: DomainDef, online: number): void {
	def.vcpu.current = online === maxVcpus(def) ? undefined : online;
}

/** The order of plugging may not hold any more. */
function forgetOrder(def: DomainDef): void {
	for (const state of def.vcpus) delete state.order;
}

async function setVcpu(
	driver: Driver,
	domain: QemuDomain,
	{ cpus, state }: { cpus: string; state: number },
	flags: number,
): Promise<void> {
	const on = parseOn(state);
	const ids = parseVcpus(cpus);
	const last = Math.max(...ids);
	const { run, config } = impactOf(domain, flags);
	const refuseMissing = (def: DomainDef, what: "persistent" | "live"): void => {
		if (last >= maxVcpus(def)) throw new VirtError("INVALID_ARG", `vcpu ${last} is not present in ${what} config`);
	};
	if (config) refuseMissing(domain.config.def, "persistent");
	if (run) refuseMissing(run.live.def, "live");
	if (config) checkChosen(domain.config.def, ids);
	if (run) await plugChosen(driver, domain, run, { ids, on });
	if (config) await changeConfig(driver, domain, (def) => setChosen(def, ids, on));
}

/** Those that stay for good must come first (qemuDomainVcpuValidateConfig). */
function checkChosen(def: DomainDef, ids: readonly number[]): void {
	if (ids.includes(0)) throw new VirtError("INVALID_ARG", "vCPU '0' can't be modified");
	const first = Math.min(...ids);
	for (let id = first + 1; id < maxVcpus(def); id++) {
		const { enabled, hotpluggable } = vcpuState(def, id);
		if (!ids.includes(id) && enabled && !hotpluggable)
			throw new VirtError(
				"INVALID_ARG",
				`vcpu '${first}' can't be modified as it is followed by non-hotpluggable online vcpus`,
			);
	}
}

function vcpuState(def: DomainDef, id: number): VcpuStateDef {
	const enabled = id < onlineVcpus(def);
	return def.vcpus[id] ?? { id, enabled, hotpluggable: !enabled };
}

function setChosen(def: DomainDef, ids: readonly number[], on: boolean): void {
	def.vcpus = Array.from({ length: maxVcpus(def) }, (_, id) =>
		ids.includes(id) ? { id, enabled: on, hotpluggable: true } : vcpuState(def, id),
	);
	forgetOrder(def);
	setCurrent(def, onlineVcpus(def));
}

export const vcpuOperations = (driver: Driver): Pick<DomainOperations<QemuDomain>, "setVcpus" | "setVcpu"> => ({
	setVcpus: (domain, count, flags) => setVcpus(driver, domain, count, flags),
	setVcpu: (domain, cpus, state, flags) => setVcpu(driver, domain, { cpus, state }, flags),
});
