// CPU time of the guest's threads: shares, periods and quotas, as configured and in the control groups of a running guest.

import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import { param, type TypedParam } from "@virtkit/core/typed-params";
import type { CputuneDef } from "@virtkit/model/domain/cputune";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { cputuneOf } from "./cputune.ts";
import { changeConfig, changeLive, impactOf, oneDefinition } from "./impact.ts";
import { emulatorThreads } from "./pin-operations.ts";
import { readParameters } from "./read-parameters.ts";

/** Whose CPU time a parameter is about. */
type Scope = "guest" | "vcpu" | "emulator" | "iothread";

type Row = { readonly field: string; readonly scope: Scope } & (
	| { readonly type: "ullong"; readonly setting: "cpuShares"; readonly tune: "shares" }
	| { readonly type: "ullong"; readonly setting: "cpuPeriod"; readonly tune: PeriodName }
	| { readonly type: "llong"; readonly setting: "cpuQuota"; readonly tune: QuotaName }
);

type PeriodName = "period" | "emulator_period" | "global_period" | "iothread_period";
type QuotaName = "quota" | "emulator_quota" | "global_quota" | "iothread_quota";

const period = (field: string, scope: Scope, tune: PeriodName): Row => ({
	field,
	scope,
	type: "ullong",
	setting: "cpuPeriod",
	tune,
});
const quota = (field: string, scope: Scope, tune: QuotaName): Row => ({
	field,
	scope,
	type: "llong",
	setting: "cpuQuota",
	tune,
});

/** VIR_DOMAIN_SCHEDULER_*, in the order in which libvirt answers them. */
const ROWS: readonly Row[] = [
	{ field: "cpu_shares", scope: "guest", type: "ullong", setting: "cpuShares", tune: "shares" },
	period("vcpu_period", "vcpu", "period"),
	quota("vcpu_quota", "vcpu", "quota"),
	period("emulator_period", "emulator", "emulator_period"),
	quota("emulator_quota", "emulator", "emulator_quota"),
	period("global_period", "guest", "global_period"),
	quota("global_quota", "guest", "global_quota"),
	period("iothread_period", "iothread", "iothread_period"),
	quota("iothread_quota", "iothread", "iothread_quota"),
];

/** What libvirt lets each setting be, in microseconds; 0 and, for quotas, anything below are no limit. */
const RANGES = { cpuPeriod: [1000, 1_000_000], cpuQuota: [1000, 17_592_186_044_415] } as const;

/** The kernel's own period, which holds where none was set (Documentation/scheduler/sched-bwc.rst). */
const KERNEL_PERIOD = 100_000n;

function refuseSession(driver: Driver, code: "CONFIG_UNSUPPORTED" | "OPERATION_UNSUPPORTED"): void {
	if (driver.session) throw new VirtError(code, "CPU tuning is not available in session mode");
}

function refuseWithoutController(run: Run): void {
	if (!run.cgroups?.guest.has("cpu")) throw new VirtError("OPERATION_INVALID", "cgroup CPU controller is not mounted");
}

function schedulerType(driver: Driver, { run }: QemuDomain): { type: string; parameters: number } {
	refuseSession(driver, "OPERATION_UNSUPPORTED");
	if (run) refuseWithoutController(run);
	return { type: "posix", parameters: ROWS.length };
}

function schedulerParameters(driver: Driver, domain: QemuDomain, flags: number): TypedParam[] {
	refuseSession(driver, "CONFIG_UNSUPPORTED");
	const { def, run } = oneDefinition(domain, flags);
	if (run) refuseWithoutController(run);
	return ROWS.map((row) => {
		const value = run ? liveValue(run, row) : BigInt(def.cputune?.[row.tune] ?? 0);
		return param[row.type](row.field, value);
	});
}

/** Nothing but the driver sets what is below the guest's own group, so its definition says what holds there. */
function liveValue(run: Run, row: Row): bigint {
	if (row.setting === "cpuShares") return BigInt(run.cgroups?.guest.get("cpuShares") ?? 0);
	const set = BigInt(run.live.def.cputune?.[row.tune] ?? 0);
	if (row.setting === "cpuPeriod") return set || KERNEL_PERIOD;
	return set > 0n ? set : unlimitedQuota(run);
}

/** How libvirt answers the lack of a limit: v1's file says −1, of v2 it reports the largest quota. */
function unlimitedQuota(run: Run): bigint {
	return run.cgroups?.guest.place.version === 1 ? -1n : BigInt(RANGES.cpuQuota[1]);
}

interface Wish {
	readonly row: Row;
	readonly value: bigint;
}

const ROWS_BY_FIELD = new Map(ROWS.map((row) => [row.field, row]));
const TYPES = Object.fromEntries(ROWS.map(({ field, type }) => [field, type]));

/** Parameters by their rows. Throws for unknown ones, wrong types, repetitions and values out of range. */
function readWishes(params: readonly TypedParam[]): Wish[] {
	return [...readParameters(params, TYPES)].flatMap(([field, value]) => {
		const row = ROWS_BY_FIELD.get(field);
		return row ? [{ row, value: checkRange(row, BigInt(value)) }] : [];
	});
}

function checkRange({ setting, field }: Row, value: bigint): bigint {
	if (setting === "cpuShares") return value;
	const [min, max] = RANGES[setting];
	if ((value > 0n && value < BigInt(min)) || value > BigInt(max))
		throw new VirtError("INVALID_ARG", `value of '${field}' is out of range [${min}, ${max}]`);
	return value;
}

async function setSchedulerParameters(
	driver: Driver,
	domain: QemuDomain,
	params: readonly TypedParam[],
	flags: number,
): Promise<void> {
	refuseSession(driver, "CONFIG_UNSUPPORTED");
	const wishes = readWishes(params);
	const { run, config } = impactOf(domain, flags);
	if (run) await tuneLive(driver, domain, run, wishes);
	if (config)
		await changeConfig(driver, domain, (def) => {
			for (const wish of wishes) keep(cputuneOf(def), wish);
		});
}

function keep(tune: CputuneDef, { row, value }: Wish): void {
	if (row.setting === "cpuQuota") tune[row.tune] = Number(value);
	else tune[row.tune] = value;
}

async function tuneLive(driver: Driver, domain: QemuDomain, run: Run, wishes: readonly Wish[]): Promise<void> {
	refuseWithoutController(run);
	const told: TypedParam[] = [];
	try {
		for (const wish of wishes) {
			const { row, value } = wish;
			// A period or quota of 0 asks for nothing.
			if (value === 0n && row.setting !== "cpuShares") continue;
			await applyTo(run, row, value);
			changeLive(driver, domain, run, (def) => keep(cputuneOf(def), wish));
			told.push(param[row.type](`cputune.${row.field}`, value));
		}
	} finally {
		if (told.length > 0) driver.emit("tunable", domain.ref, { params: told });
	}
}

async function applyTo(run: Run, { scope, setting }: Row, value: bigint): Promise<void> {
	const number = value < 0n ? undefined : Number(value);
	if (scope === "guest") return run.cgroups?.guest.set(setting, number);
	for (const [name, tids] of threadGroups(run, scope)) {
		const group = run.cgroups?.thread(name);
		group?.set(setting, number);
		for (const tid of tids) await group?.addThread(tid);
	}
}

/** Groups of threads by name, with who is to be in each. */
export function threadGroups(run: Run, scope: Exclude<Scope, "guest">): [name: string, tids: number[]][] {
	if (scope === "emulator") return [["emulator", emulatorThreads(run)]];
	const threads = scope === "vcpu" ? run.vcpuThreads : run.iothreadThreads;
	return [...threads].map(([number, tid]) => [`${scope}${number}`, [tid]]);
}

export const schedulerOperations = (
	driver: Driver,
): Pick<DomainOperations<QemuDomain>, "schedulerType" | "schedulerParameters" | "setSchedulerParameters"> => ({
	schedulerType: (domain) => schedulerType(driver, domain),
	schedulerParameters: (domain, flags) => schedulerParameters(driver, domain, flags),
	setSchedulerParameters: (domain, params, flags) => setSchedulerParameters(driver, domain, params, flags),
});
