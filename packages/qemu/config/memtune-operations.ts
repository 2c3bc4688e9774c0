// How much of the host's memory and swap the guest may use: as configured, and in the control group of a running guest.

import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import { param, type TypedParam } from "@virtkit/core/typed-params";
import type { Cgroup } from "@virtkit/host/cgroup/group";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { UNLIMITED_KIB } from "@virtkit/model/domain/memory";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { changeConfig, changeLive, impactOf, oneDefinition } from "./impact.ts";
import { readParameters } from "./read-parameters.ts";

/** VIR_DOMAIN_MEMORY_*, in the order in which libvirt answers them, with the knobs that hold them. */
const SETTINGS = {
	hard_limit: "memoryHardLimit",
	soft_limit: "memorySoftLimit",
	swap_hard_limit: "swapHardLimit",
} as const;

type LimitName = keyof typeof SETTINGS;
const LIMIT_NAMES = ["hard_limit", "soft_limit", "swap_hard_limit"] as const;
const TYPES = { hard_limit: "ullong", soft_limit: "ullong", swap_hard_limit: "ullong" } as const;

/** KiB by limit. */
type Wishes = Partial<Record<LimitName, number>>;

function refuseSession(driver: Driver): void {
	if (driver.session) throw new VirtError("OPERATION_UNSUPPORTED", "Memory tuning is not available in session mode");
}

function neededGroup(run: Run): Cgroup {
	if (run.cgroups?.guest.has("memory")) return run.cgroups.guest;
	throw new VirtError("OPERATION_INVALID", "cgroup memory controller is not mounted");
}

const limitOf = (def: DomainDef, name: LimitName): number => def.memtune?.[name] ?? UNLIMITED_KIB;

function memoryParameters(driver: Driver, domain: QemuDomain, flags: number): TypedParam[] {
	refuseSession(driver);
	const { def, run } = oneDefinition(domain, flags);
	const group = run && neededGroup(run);
	return LIMIT_NAMES.map((name) => param.ullong(name, BigInt(group ? liveLimit(group, name) : limitOf(def, name))));
}

/** A kernel may lack accounting of swap, which is no limit then. */
function liveLimit(group: Cgroup, name: LimitName): number {
	try {
		return group.get(SETTINGS[name]) ?? UNLIMITED_KIB;
	} catch (error) {
		if (name === "swap_hard_limit" && error instanceof VirtError && error.code === "OPERATION_UNSUPPORTED")
			return UNLIMITED_KIB;
		throw error;
	}
}

function readWishes(params: readonly TypedParam[]): Wishes {
	const wishes: Wishes = {};
	for (const [name, value] of readParameters(params, TYPES)) {
		if (BigInt(value) > BigInt(UNLIMITED_KIB))
			throw new VirtError("INVALID_ARG", `Memory '${value}' must be less than ${UNLIMITED_KIB}`);
		wishes[name] = Number(value);
	}
	return wishes;
}

/** Throws INVALID_ARG where memory alone could exceed memory and swap together. */
function checkOrder(def: DomainDef, wishes: Wishes): void {
	if (wishes.hard_limit === undefined && wishes.swap_hard_limit === undefined) return;
	const [hard, swap] = (["hard_limit", "swap_hard_limit"] as const).map((name) => wishes[name] ?? limitOf(def, name));
	if ((hard ?? 0) > (swap ?? 0))
		throw new VirtError(
			"INVALID_ARG",
			"memory hard_limit tunable value must be lower than or equal to swap_hard_limit",
		);
}

function keep(def: DomainDef, name: LimitName, kib: number): void {
	def.memtune ??= {};
	if (kib < UNLIMITED_KIB) def.memtune[name] = kib;
	else delete def.memtune[name];
}

async function setMemoryParameters(
	driver: Driver,
	domain: QemuDomain,
	params: readonly TypedParam[],
	flags: number,
): Promise<void> {
	refuseSession(driver);
	const wishes = readWishes(params);
	const { run, config } = impactOf(domain, flags);
	const group = run && neededGroup(run);
	checkOrder(domain.current.def, wishes);
	if (run && group)
		for (const name of order(run.live.def, wishes)) {
			const kib = wishes[name] ?? UNLIMITED_KIB;
			group.set(SETTINGS[name], kib < UNLIMITED_KIB ? kib : undefined);
			changeLive(driver, domain, run, (def) => keep(def, name, kib));
		}
	if (config)
		await changeConfig(driver, domain, (def) => {
			for (const name of LIMIT_NAMES) if (wishes[name] !== undefined) keep(def, name, wishes[name]);
		});
}

/** The kernel keeps memory's limit at or below that of memory and swap, so which comes first depends on the way. */
function order(def: DomainDef, wishes: Wishes): LimitName[] {
	const shrinks = (wishes.hard_limit ?? UNLIMITED_KIB) < limitOf(def, "hard_limit");
	const all: LimitName[] = ["soft_limit", ...hardAndSwap(shrinks)];
	return all.filter((name) => wishes[name] !== undefined);
}

const hardAndSwap = (shrinks: boolean): LimitName[] =>
	shrinks ? ["hard_limit", "swap_hard_limit"] : ["swap_hard_limit", "hard_limit"];

export const memtuneOperations = (
	driver: Driver,
): Pick<DomainOperations<QemuDomain>, "memoryParameters" | "setMemoryParameters"> => ({
	memoryParameters: (domain, flags) => memoryParameters(driver, domain, flags),
	setMemoryParameters: (domain, params, flags) => setMemoryParameters(driver, domain, params, flags),
});
