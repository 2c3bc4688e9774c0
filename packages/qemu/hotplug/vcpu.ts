// Virtual CPUs of a running guest come and go: QEMU's pluggable CPUs, matched with the definition's by number.

import { VirtError } from "@virtkit/base/errors";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { QmpCommands } from "@virtkit/qapi/schema.gen";
import { maxVcpus, onlineVcpus } from "../defaults/vcpus.ts";
import type { QemuDomain } from "../domain/domain.ts";
import { idOfPath } from "../domain/find-device.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { rememberVcpus } from "../lifecycle/refresh.ts";
import { saveStatus } from "../lifecycle/status-file.ts";
import { tuneVcpu } from "../lifecycle/tuning.ts";
import { unplugDevice } from "./monitor-plug.ts";

type PluggableCpu = QmpCommands["query-hotpluggable-cpus"]["ret"][number];

/** What is plugged at once: one vCPU, or all threads of a core where that is the machine's unit. */
export interface VcpuUnit {
	/** Number of its first vCPU. */
	readonly first: number;
	readonly count: number;
	readonly cpu: PluggableCpu;
	readonly present: boolean;
	/** Its id, where it was plugged and so can be unplugged. */
	readonly alias: string | undefined;
	/** Position in the order in which the units came, from 1; 0 for one that is not there. */
	readonly order: number;
}

/** How long the guest may take to let go of one, in milliseconds; PowerPC's takes longer (qemuDomainGetUnplugTimeout). */
const UNPLUG_DEADLINE_MS = { usual: 5_000, pseries: 10_000 } as const;

/** Where a CPU sits, the outermost part first: in this order QEMU numbers them. */
const PLACE = ["socket-id", "die-id", "core-id", "thread-id"] as const;

function byPlace({ props: a }: PluggableCpu, { props: b }: PluggableCpu): number {
	for (const part of PLACE) {
		const difference = (a[part] ?? 0) - (b[part] ?? 0);
		if (difference !== 0) return difference;
	}
	return 0;
}

/** The guest's units in the order of their numbers, and its threads as they are now. */
export async function readUnits(run: Run): Promise<VcpuUnit[]> {
	const [pluggable, cpus] = await Promise.all([
		run.monitor.execute("query-hotpluggable-cpus"),
		run.monitor.execute("query-cpus-fast"),
	]);
	rememberVcpus(run, cpus);
	const came: string[] = [];
	for (const cpu of cpus) {
		const owner = pluggable.find(({ "qom-path": path }) => path !== undefined && isWithin(cpu["qom-path"], path));
		const path = owner?.["qom-path"];
		if (path !== undefined && !came.includes(path)) came.push(path);
	}
	let first = 0;
	return pluggable.toSorted(byPlace).map((cpu) => {
		const { "vcpus-count": count, "qom-path": path } = cpu;
		const unit: VcpuUnit = {
			first,
			count,
			cpu,
			present: path !== undefined,
			alias: path === undefined ? undefined : idOfPath(path),
			order: path === undefined ? 0 : came.indexOf(path) + 1,
		};
		first += count;
		return unit;
	});
}

const isWithin = (path: string, owner: string): boolean => path === owner || path.startsWith(`${owner}/`);

/** Has the definition say what is so. */
function settle(def: DomainDef, units: readonly VcpuUnit[]): void {
	def.vcpus = units.flatMap(({ first, count, present, alias, order }) =>
		Array.from({ length: count }, (_, index) => ({
			id: first + index,
			enabled: present,
			hotpluggable: !present || alias !== undefined,
			...(present && order > 0 ? { order } : {}),
		})),
	);
	const online = onlineVcpus(def);
	def.vcpu.current = online === maxVcpus(def) ? undefined : online;
}

/** Learns which vCPUs the guest has, where its definition tells them apart or has another number of them. */
export async function refreshVcpus(run: Run): Promise<void> {
	const { def } = run.live;
	const { hotplugCpus = false } = run.caps.machine(def.os.type.machine ?? "") ?? {};
	if (!hotplugCpus || maxVcpus(def) === 1) return;
	const units = await readUnits(run);
	const present = units.filter((unit) => unit.present).reduce((sum, { count }) => sum + count, 0);
	if (def.vcpus.length === 0 && present === onlineVcpus(def)) return;
	settle(def, units);
	run.live.changed();
}

/** Plugs what the definition wants there at start although it can be unplugged; before the guest runs. */
export async function plugAtStart(run: Run): Promise<void> {
	const { def } = run.live;
	if (def.vcpus.length === 0) return;
	const wanted = def.vcpus.filter(({ enabled, hotpluggable }) => enabled && hotpluggable);
	const units = await readUnits(run);
	const orders = new Map(wanted.map(({ id, order = 0 }) => [id, order]));
	const missing = units
		.filter(({ first, present }) => !present && orders.has(first))
		.sort((a, b) => (orders.get(a.first) ?? 0) - (orders.get(b.first) ?? 0));
	for (const unit of missing) await addUnit(run, unit);
	const now = await readUnits(run);
	for (const { first, count, present } of now)
		for (let id = first; id < first + count; id++)
			if (def.vcpus[id]?.enabled !== present)
				throw new VirtError(
					"CONFIG_UNSUPPORTED",
					`vcpu '${id}' cannot be ${present ? "left out" : "plugged"} alone: the machine plugs ${count} vCPUs at a time`,
				);
	settle(def, now);
	run.live.changed();
}

const addUnit = (run: Run, { first, cpu }: VcpuUnit): Promise<unknown> =>
	run.monitor.execute("device_add", { driver: cpu.type, id: `vcpu${first}`, ...cpu.props });

/** Plugs one; when this settles it is tuned and recorded. */
async function plug(driver: Driver, domain: QemuDomain, run: Run, unit: VcpuUnit): Promise<void> {
	await addUnit(run, unit);
	settle(run.live.def, await readUnits(run));
	run.live.changed();
	saveStatus(driver, domain);
	for (let id = unit.first; id < unit.first + unit.count; id++) {
		const tid = run.vcpuThreads.get(id);
		if (tid !== undefined) await tuneVcpu(driver, run, id, tid);
	}
}

/** Unplugs one, if the guest agrees. Throws OPERATION_FAILED where it refuses, OPERATION_TIMEOUT where it does not answer. */
async function unplug(driver: Driver, domain: QemuDomain, run: Run, { first, alias, count }: VcpuUnit): Promise<void> {
	if (alias === undefined) throw new VirtError("OPERATION_UNSUPPORTED", `vcpu '${first}' can't be unplugged`);
	const deadlineMs = run.live.def.os.type.machine?.startsWith("pseries")
		? UNPLUG_DEADLINE_MS.pseries
		: UNPLUG_DEADLINE_MS.usual;
	const outcome = await unplugDevice(run, alias, deadlineMs);
	if (outcome === "refused")
		throw new VirtError("OPERATION_FAILED", `unplug of device was rejected by the guest: vcpu '${first}'`);
	if (outcome === "pending")
		throw new VirtError(
			"OPERATION_TIMEOUT",
			"vcpu unplug request timed out. Unplug result must be manually inspected in the domain",
		);
	await vcpusChanged(driver, domain, run);
	for (let id = first; id < first + count; id++) await run.cgroups?.thread(`vcpu${id}`).remove();
}

/** Records what the guest has now, also where it let go of a vCPU later than anybody waited. */
export async function vcpusChanged(driver: Driver, domain: QemuDomain, run: Run): Promise<void> {
	settle(run.live.def, await readUnits(run));
	run.live.changed();
	saveStatus(driver, domain);
}

/** Plugs or unplugs until the guest has `count` vCPUs (qemuDomainSelectHotplugVcpuEntities). */
export async function plugVcpus(driver: Driver, domain: QemuDomain, run: Run, count: number): Promise<void> {
	const units = await readUnits(run);
	const online = units.filter(({ present }) => present).reduce((sum, unit) => sum + unit.count, 0);
	if (count === online) return;
	const candidates =
		count > online
			? units.filter(({ present }) => !present)
			: units.filter(({ alias }) => alias !== undefined).reverse();
	const chosen: VcpuUnit[] = [];
	let reached = online;
	for (const unit of candidates) {
		if (reached === count) break;
		reached += count > online ? unit.count : -unit.count;
		if (count > online ? reached > count : reached < count)
			throw new VirtError("CONFIG_UNSUPPORTED", "target vm vcpu granularity does not allow the desired vcpu count");
		chosen.push(unit);
	}
	if (reached !== count)
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			"failed to find appropriate hotpluggable vcpus to reach the desired target vcpu count",
		);
	for (const unit of chosen) await (count > online ? plug : unplug)(driver, domain, run, unit);
}

/** Plugs or unplugs those vCPUs. Throws INVALID_ARG where one cannot be (qemuDomainFilterHotplugVcpuEntities). */
export async function plugChosen(
	driver: Driver,
	domain: QemuDomain,
	run: Run,
	{ ids, on }: { readonly ids: readonly number[]; readonly on: boolean },
): Promise<void> {
	const chosen = chooseUnits(await readUnits(run), new Set(ids), on);
	for (const unit of on ? chosen : chosen.reverse()) await (on ? plug : unplug)(driver, domain, run, unit);
}

/** The units that these vCPUs are. */
function chooseUnits(units: readonly VcpuUnit[], ids: ReadonlySet<number>, on: boolean): VcpuUnit[] {
	const wanted = units.filter(({ first, count }) => [...ids].some((id) => id >= first && id < first + count));
	for (const { first, count, present, alias } of wanted) {
		const named = [...ids].find((id) => id >= first && id < first + count) ?? first;
		if (present === on) throw new VirtError("INVALID_ARG", `vcpu '${named}' is already in requested state`);
		if (present && alias === undefined) throw new VirtError("INVALID_ARG", `vcpu '${named}' can't be hotunplugged`);
		if (!ids.has(first))
			throw new VirtError(
				"INVALID_ARG",
				`vcpu '${named}' belongs to a larger hotpluggable entity, but siblings were not selected`,
			);
		for (let id = first + 1; id < first + count; id++)
			if (!ids.has(id))
				throw new VirtError(
					"INVALID_ARG",
					`vcpu '${id}' was not selected but it belongs to hotpluggable entity '${first}-${first + count - 1}' which was partially selected`,
				);
	}
	return wanted;
}
