// I/O threads: which there are, where they run, and how they come, go and change, while the guest runs and in its stored definition.

import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations, IOThreadInfo } from "@virtkit/core/domain-operations";
import { param, type TypedParam } from "@virtkit/core/typed-params";
import { getAffinity, setAffinity } from "@virtkit/host/native";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { IOThreadDef } from "@virtkit/model/domain/iothreads";
import { formatNumberSet } from "@virtkit/xml/bitmap";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { readIothreads } from "../lifecycle/refresh.ts";
import { saveStatusNow } from "../lifecycle/status-file.ts";
import { tuneIothread } from "../lifecycle/tuning.ts";
import { cputuneOf } from "./cputune.ts";
import { changeConfig, changeLive, impactOf, oneDefinition } from "./impact.ts";
import { readParameters } from "./read-parameters.ts";

async function iothreads(driver: Driver, domain: QemuDomain, flags: number): Promise<IOThreadInfo[]> {
	const { def, run } = oneDefinition(domain, flags);
	if (run) {
		const threads = await run.monitor.execute("query-iothreads");
		return threads.flatMap(({ id, "thread-id": tid }) => {
			const number = /^iothread(\d+)$/.exec(id)?.[1];
			return number === undefined ? [] : [{ id: Number(number), cpus: getAffinity(tid) }];
		});
	}
	const usual = def.vcpu.cpuset ?? driver.host.onlineCpus();
	const pins = new Map(def.cputune?.iothreadpin.map(({ iothread, cpuset }) => [iothread, cpuset]));
	return def.iothreadids.map(({ id }) => ({ id, cpus: pins.get(id) ?? usual }));
}

const find = (def: DomainDef, id: number): IOThreadDef | undefined => def.iothreadids.find((one) => one.id === id);

async function pinIothread(
	driver: Driver,
	domain: QemuDomain,
	id: number,
	cpus: readonly number[],
	flags: number,
): Promise<void> {
	const { run, config } = impactOf(domain, flags);
	if (cpus.length === 0) throw new VirtError("INVALID_ARG", "Empty iothread cpumap list for pinning");
	if (run && !find(run.live.def, id)) throw new VirtError("INVALID_ARG", `iothread ${id} not found`);
	if (config && !find(domain.config.def, id)) throw new VirtError("INVALID_ARG", `iothreadid ${id} not found`);
	const change = (def: DomainDef): void => {
		const tune = cputuneOf(def);
		const others = tune.iothreadpin.filter(({ iothread }) => iothread !== id);
		tune.iothreadpin = [...others, { iothread: id, cpuset: [...cpus] }].sort((a, b) => a.iothread - b.iothread);
		delete find(def, id)?.counted;
	};
	if (run) {
		const tid = run.iothreadThreads.get(id);
		if (tid !== undefined) setAffinity(tid, cpus);
		changeLive(driver, domain, run, change);
		driver.emit("tunable", domain.ref, { params: [param.string(`cputune.iothreadpin${id}`, formatNumberSet(cpus))] });
	}
	if (config) await changeConfig(driver, domain, change);
}

function refuseZero(id: number): void {
	if (id === 0) throw new VirtError("INVALID_ARG", "invalid value of 0 for iothread_id");
}

/** The definition with one more. */
function withThread(def: DomainDef, id: number): DomainDef {
	const iothreadids = [...def.iothreadids, { id }];
	return { ...def, iothreadids, iothreads: iothreadids.length };
}

function refuseTaken(def: DomainDef, id: number): void {
	if (find(def, id)) throw new VirtError("INVALID_ARG", `an IOThread is already using iothread_id '${id}'`);
}

async function addIothread(driver: Driver, domain: QemuDomain, id: number, flags: number): Promise<void> {
	refuseZero(id);
	const { run, config } = impactOf(domain, flags);
	if (config) refuseTaken(domain.config.def, id);
	if (run) await plug(driver, domain, run, id);
	if (config) await changeConfig(driver, domain, (def) => void Object.assign(def, withThread(def, id)));
}

async function plug(driver: Driver, domain: QemuDomain, run: Run, id: number): Promise<void> {
	if (!run.caps.has("iothread")) throw new VirtError("CONFIG_UNSUPPORTED", "IOThreads not supported with this binary");
	refuseTaken(run.live.def, id);
	const object = `iothread${id}`;
	let added = false;
	try {
		// A daemon that ends here finds out by QEMU's list whether the thread came.
		run.intended = (def) => withThread(def, id);
		await saveStatusNow(domain, run);
		await run.monitor.executeUntyped("object-add", { "qom-type": "iothread", id: object });
		added = true;
		await readIothreads(run, withThread(run.live.def, id));
		const tid = run.iothreadThreads.get(id);
		if (tid === undefined) throw new VirtError("INTERNAL_ERROR", `cannot find new IOThread '${id}' in QEMU monitor.`);
		await tuneIothread(driver, run, id, tid);
		run.intended = undefined;
		changeLive(driver, domain, run, (def) => void Object.assign(def, withThread(def, id)));
	} catch (error) {
		run.intended = undefined;
		if (added) await run.monitor.executeUntyped("object-del", { id: object }).catch(() => undefined);
		run.iothreadThreads.delete(id);
		await saveStatusNow(domain, run);
		throw error;
	}
	await saveStatusNow(domain, run);
}

/** Throws INVALID_ARG for a thread that there is not, or that serves a device. */
function checkUnused(def: DomainDef, id: number): void {
	if (!find(def, id)) throw new VirtError("INVALID_ARG", `cannot find IOThread '${id}' in iothreadids list`);
	const { disks, controllers } = def.devices;
	const disk = disks.find(({ driver }) => driver.iothread === id);
	if (disk)
		throw new VirtError(
			"INVALID_ARG",
			`cannot remove IOThread ${id} since it is being used by disk '${disk.target.dev}'`,
		);
	if (controllers.some(({ driver }) => driver?.iothread === id))
		throw new VirtError("INVALID_ARG", `cannot remove IOThread '${id}' since it is being used by controller`);
}

function forget(def: DomainDef, id: number): void {
	const index = def.iothreadids.findIndex((one) => one.id === id);
	// Those after it are no longer what the count alone would give.
	for (const later of def.iothreadids.slice(index + 1)) delete later.counted;
	def.iothreadids = def.iothreadids.filter((one) => one.id !== id);
	def.iothreads = def.iothreadids.length;
	if (def.cputune) def.cputune.iothreadpin = def.cputune.iothreadpin.filter(({ iothread }) => iothread !== id);
}

async function deleteIothread(driver: Driver, domain: QemuDomain, id: number, flags: number): Promise<void> {
	refuseZero(id);
	const { run, config } = impactOf(domain, flags);
	if (config) checkUnused(domain.config.def, id);
	if (run) {
		checkUnused(run.live.def, id);
		await run.monitor.executeUntyped("object-del", { id: `iothread${id}` });
		run.iothreadThreads.delete(id);
		changeLive(driver, domain, run, (def) => forget(def, id));
		await saveStatusNow(domain, run);
	}
	if (config) await changeConfig(driver, domain, (def) => forget(def, id));
}

/** VIR_DOMAIN_IOTHREAD_*, with QEMU's names of them. */
const TYPES = {
	poll_max_ns: "ullong",
	poll_grow: "uint",
	poll_shrink: "uint",
	thread_pool_min: "int",
	thread_pool_max: "int",
} as const;

type Wishes = Partial<Record<keyof typeof TYPES, number>>;
const POLLING = ["poll_max_ns", "poll_grow", "poll_shrink"] as const;
const POOL = ["thread_pool_min", "thread_pool_max"] as const;
const INT_MAX = 0x7fff_ffff;

const qemuName = (name: string): string => name.replaceAll("_", "-");

function readWishes(params: readonly TypedParam[]): Wishes {
	const wishes: Wishes = {};
	const refuse = (message: string): never => {
		throw new VirtError("CONFIG_UNSUPPORTED", message);
	};
	for (const [name, value] of readParameters(params, TYPES)) wishes[name] = Number(value);
	for (const name of POLLING)
		if ((wishes[name] ?? 0) > INT_MAX)
			refuse(`${qemuName(name)} (${wishes[name]}) must be less than or equal to ${INT_MAX}`);
	const { thread_pool_min: min = 0, thread_pool_max: max = 1 } = wishes;
	if (min < -1) refuse(`thread_pool_min (${min}) must be equal to or greater than -1`);
	if (max < -1 || max === 0) refuse(`thread_pool_max (${max}) must be a positive number or -1`);
	return wishes;
}

/** Throws INVALID_ARG where there is no such thread, OPERATION_INVALID for a pool that contradicts itself. */
function checkPool(def: DomainDef, id: number, wishes: Wishes, isLive: boolean): void {
	const thread = find(def, id);
	if (!thread) throw new VirtError("INVALID_ARG", `cannot find IOThread '${id}' in iothreadids`);
	if (isLive)
		for (const name of POOL)
			if ((wishes[name] ?? 0) < 0)
				throw new VirtError(
					"OPERATION_INVALID",
					`${name} (${wishes[name]}) must be equal to or greater than 0 for live change`,
				);
	const [min = -1, max = -1] = POOL.map((name) => wishes[name] ?? thread[name]);
	if (min > max)
		throw new VirtError("OPERATION_INVALID", `thread_pool_min (${min}) can't be greater than thread_pool_max (${max})`);
}

function keepPool(def: DomainDef, id: number, wishes: Wishes): void {
	const thread = find(def, id);
	for (const name of POOL) {
		const size = wishes[name];
		if (thread === undefined || size === undefined) continue;
		if (size < 0) delete thread[name];
		else thread[name] = size;
	}
}

async function setIothreadParameters(
	driver: Driver,
	domain: QemuDomain,
	id: number,
	params: readonly TypedParam[],
	flags: number,
): Promise<void> {
	refuseZero(id);
	const wishes = readWishes(params);
	const { run, config } = impactOf(domain, flags);
	if (config) {
		checkPool(domain.config.def, id, wishes, false);
		if (POLLING.some((name) => wishes[name] !== undefined))
			throw new VirtError("OPERATION_UNSUPPORTED", "configuring persistent polling values is not supported");
	}
	if (run) {
		checkPool(run.live.def, id, wishes, true);
		await tellQemu(run, id, wishes);
		changeLive(driver, domain, run, (def) => keepPool(def, id, wishes));
	}
	if (config) await changeConfig(driver, domain, (def) => keepPool(def, id, wishes));
}

/** QEMU's lower limit is never above its upper one, also in between. */
async function tellQemu(run: Run, id: number, wishes: Wishes): Promise<void> {
	const path = `/objects/iothread${id}`;
	const { thread_pool_min: min, thread_pool_max: max } = wishes;
	const isRaised =
		min !== undefined &&
		max !== undefined &&
		Number(await run.monitor.execute("qom-get", { path, property: "thread-pool-max" })) < min;
	for (const name of [...POLLING, ...(isRaised ? POOL.toReversed() : POOL)]) {
		const value = wishes[name];
		if (value !== undefined) await run.monitor.execute("qom-set", { path, property: qemuName(name), value });
	}
}

type IOThreadOperations = Pick<
	DomainOperations<QemuDomain>,
	"iothreads" | "pinIothread" | "addIothread" | "deleteIothread" | "setIothreadParameters"
>;

export const iothreadOperations = (driver: Driver): IOThreadOperations => ({
	iothreads: (domain, flags) => iothreads(driver, domain, flags),
	pinIothread: (domain, id, cpus, flags) => pinIothread(driver, domain, id, cpus, flags),
	addIothread: (domain, id, flags) => addIothread(driver, domain, id, flags),
	deleteIothread: (domain, id, flags) => deleteIothread(driver, domain, id, flags),
	setIothreadParameters: (domain, id, params, flags) => setIothreadParameters(driver, domain, id, params, flags),
});
