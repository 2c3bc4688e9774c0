// Which host CPUs the guest's threads run on: as configured, and as it is for the threads of a running guest.

import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import { param } from "@virtkit/core/typed-params";
import { setAffinity } from "@virtkit/host/native";
import { listThreads } from "@virtkit/host/thread";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { formatNumberSet } from "@virtkit/xml/bitmap";
import { maxVcpus, onlineVcpus } from "../defaults/vcpus.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { cputuneOf } from "./cputune.ts";
import { changeConfig, changeLive, impactOf, oneDefinition } from "./impact.ts";

/** Host CPUs that the definition leaves a thread without a pin of its own. */
const usualCpus = (driver: Driver, def: DomainDef): readonly number[] => def.vcpu.cpuset ?? driver.host.onlineCpus();

function vcpuPins(driver: Driver, domain: QemuDomain, flags: number): (readonly number[])[] {
	const { def } = oneDefinition(domain, flags);
	const usual = usualCpus(driver, def);
	const pins = new Map(def.cputune?.vcpupin.map(({ vcpu, cpuset }) => [vcpu, cpuset]));
	return Array.from({ length: maxVcpus(def) }, (_, vcpu) => pins.get(vcpu) ?? usual);
}

function emulatorPin(driver: Driver, domain: QemuDomain, flags: number): readonly number[] {
	const { def } = oneDefinition(domain, flags);
	return def.cputune?.emulatorpin?.cpuset ?? usualCpus(driver, def);
}

function refuseEmpty(cpus: readonly number[]): void {
	if (cpus.length === 0) throw new VirtError("INVALID_ARG", "Empty cpu list for pinning");
}

async function pinVcpu(
	driver: Driver,
	domain: QemuDomain,
	vcpu: number,
	cpus: readonly number[],
	flags: number,
): Promise<void> {
	const { run, config } = impactOf(domain, flags);
	if (config) refuseMissing(domain.config.def, vcpu, "persistent");
	refuseEmpty(cpus);
	const change = (def: DomainDef): void => {
		const tune = cputuneOf(def);
		const others = tune.vcpupin.filter((pin) => pin.vcpu !== vcpu);
		tune.vcpupin = [...others, { vcpu, cpuset: [...cpus] }].sort((a, b) => a.vcpu - b.vcpu);
	};
	if (run) {
		refuseMissing(run.live.def, vcpu, "live");
		const tid = run.vcpuThreads.get(vcpu);
		if (tid !== undefined) setAffinity(tid, cpus);
		changeLive(driver, domain, run, change);
		tell(driver, domain, `cputune.vcpupin${vcpu}`, cpus);
	}
	if (config) await changeConfig(driver, domain, change);
}

function refuseMissing(def: DomainDef, vcpu: number, what: "live" | "persistent"): void {
	if (vcpu < maxVcpus(def)) return;
	const count = what === "live" ? maxVcpus(def) : onlineVcpus(def);
	throw new VirtError("INVALID_ARG", `vcpu ${vcpu} is out of range of ${what} cpu count ${count}`);
}

async function pinEmulator(driver: Driver, domain: QemuDomain, cpus: readonly number[], flags: number): Promise<void> {
	const { run, config } = impactOf(domain, flags);
	refuseEmpty(cpus);
	const change = (def: DomainDef): void => {
		cputuneOf(def).emulatorpin = { cpuset: [...cpus] };
	};
	if (run) {
		for (const tid of emulatorThreads(run)) setAffinity(tid, cpus);
		changeLive(driver, domain, run, change);
		tell(driver, domain, "cputune.emulatorpin", cpus);
	}
	if (config) await changeConfig(driver, domain, change);
}

/** QEMU's threads but for vCPUs and I/O threads. */
export function emulatorThreads(run: Run): number[] {
	const others = new Set([...run.vcpuThreads.values(), ...run.iothreadThreads.values()]);
	return run.process === undefined
		? []
		: listThreads(run.process.pid)
				.map(({ tid }) => tid)
				.filter((tid) => !others.has(tid));
}

function tell(driver: Driver, domain: QemuDomain, field: string, cpus: readonly number[]): void {
	driver.emit("tunable", domain.ref, { params: [param.string(field, formatNumberSet(cpus))] });
}

export const pinOperations = (
	driver: Driver,
): Pick<DomainOperations<QemuDomain>, "vcpuPins" | "emulatorPin" | "pinVcpu" | "pinEmulator"> => ({
	vcpuPins: (domain, flags) => vcpuPins(driver, domain, flags),
	emulatorPin: (domain, flags) => emulatorPin(driver, domain, flags),
	pinVcpu: (domain, vcpu, cpus, flags) => pinVcpu(driver, domain, vcpu, cpus, flags),
	pinEmulator: (domain, cpus, flags) => pinEmulator(driver, domain, cpus, flags),
});
