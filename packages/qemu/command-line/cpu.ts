// `-cpu`: model, features, paravirtual timers, Hyper-V and KVM features.

import { VirtError } from "@virtkit/base/errors";
import type { ClockDef } from "@virtkit/model/domain/clock";
import type { CpuDef } from "@virtkit/model/domain/cpu";
import { toQemuFeature } from "../capabilities/cpu-features.ts";
import { HYPERV_ENLIGHTENMENTS } from "../capabilities/hyperv.ts";
import { canTellMigratable } from "../defaults/cpu.ts";
import type { BuildContext } from "../devices/entry.ts";
import { isPpc64, isX86 } from "../machine.ts";

const onOff = (value: boolean): string => (value ? "on" : "off");

/** QEMU's name of a CPU feature. */
export function qemuFeatureName(name: string, x86: boolean): string {
	return x86 ? toQemuFeature(name) : name;
}

function modelName(cpu: CpuDef, { def, caps, host }: BuildContext): string {
	switch (cpu.mode) {
		case "host-passthrough":
		case "maximum": {
			const foreign = def.os.type.arch === "armv7l" && host.arch === "aarch64" ? ",aarch64=off" : "";
			const migratable =
				cpu.migratable !== undefined && canTellMigratable(caps) ? `,migratable=${onOff(cpu.migratable)}` : "";
			return `${cpu.mode === "maximum" ? "max" : "host"}${foreign}${migratable}`;
		}
		case "host-model":
			if (isPpc64(def)) return "host";
			throw new VirtError(
				"INTERNAL_ERROR",
				`unexpected host-model CPU for ${def.os.type.arch} architecture: it is named before the command line is built`,
			);
		default:
			return cpu.model?.name ?? "";
	}
}

function modelArgument(cpu: CpuDef, context: BuildContext): string {
	const x86 = isX86(context.def);
	const features = cpu.feature.flatMap(({ name, policy }) => {
		if (policy === "optional") return [];
		return `${qemuFeatureName(name, x86)}=${onOff(policy === "force" || policy === "require")}`;
	});
	const vendor = cpu.model?.vendor_id === undefined ? [] : [`vendor=${cpu.model.vendor_id}`];
	return [modelName(cpu, context), ...vendor, ...features].join(",");
}

function timerFlag({ name, present, frequency, tickpolicy }: ClockDef["timer"][number]): string | undefined {
	switch (name) {
		case "kvmclock":
			return present === undefined ? undefined : `kvmclock=${onOff(present)}`;
		case "hypervclock":
			return present ? "hv-time=on" : undefined;
		case "tsc":
			return frequency ? `tsc-frequency=${frequency}` : undefined;
		case "armvtimer":
			return tickpolicy === "delay" || tickpolicy === "discard"
				? `kvm-no-adjvtime=${onOff(tickpolicy === "discard")}`
				: undefined;
		default:
			return undefined;
	}
}

function hypervFlags({ def }: BuildContext): string[] {
	const { hyperv } = def.features ?? {};
	if (!hyperv) return [];
	const flags = HYPERV_ENLIGHTENMENTS.flatMap((name) => {
		if (!hyperv[name]?.state) return [];
		if (name === "spinlocks") return `hv-spinlocks=0x${(hyperv.spinlocks?.retries ?? 0).toString(16)}`;
		if (name === "vendor_id") return `hv-vendor-id=${hyperv.vendor_id?.value ?? ""}`;
		const direct = name === "stimer" && hyperv.stimer?.direct?.state ? ["hv-stimer-direct=on"] : [];
		const { tlbflush } = hyperv;
		const flushes =
			name === "tlbflush"
				? [
						...(tlbflush?.direct?.state ? ["hv-tlbflush-direct=on"] : []),
						...(tlbflush?.extended?.state ? ["hv-tlbflush-ext=on"] : []),
					]
				: [];
		return [`hv-${name.replace("_", "-")}=on`, ...direct, ...flushes];
	});
	return hyperv.mode === "passthrough" ? ["hv-passthrough=on", ...flags] : flags;
}

function kvmFlags({ def }: BuildContext): string[] {
	const { kvm } = def.features ?? {};
	if (!kvm) return [];
	return [
		...(kvm.hidden?.state ? ["kvm=off"] : []),
		...(kvm["hint-dedicated"]?.state ? ["kvm-hint-dedicated=on"] : []),
		...(kvm["poll-control"]?.state ? ["kvm-poll-control=on"] : []),
		...(kvm["pv-ipi"]?.state === false ? ["kvm-pv-ipi=off"] : []),
	];
}

function cacheFlags(cpu: CpuDef | undefined, { caps }: BuildContext): string[] {
	const { mode } = cpu?.cache ?? {};
	if (!cpu || mode === undefined) return [];
	const own = mode === "emulate" ? ["l3-cache=on"] : mode === "passthrough" ? ["host-cache-info=on"] : [];
	const isHost = cpu.mode === "host-passthrough" || cpu.mode === "maximum";
	const known = caps.has("max-x86_64-cpu", "host-cache-info") || caps.has("max-i386-cpu", "host-cache-info");
	return [
		...own,
		...(mode !== "passthrough" && isHost && known ? ["host-cache-info=off"] : []),
		...(mode !== "emulate" && known ? ["l3-cache=off"] : []),
	];
}

function flags(context: BuildContext): string[] {
	const { def } = context;
	const { apic, pvspinlock, pmu } = def.features ?? {};
	const { maxphysaddr } = def.cpu ?? {};
	const { panics } = def.devices;
	return [
		...def.clock.timer.flatMap((timer) => timerFlag(timer) ?? []),
		...(apic?.eoi === undefined ? [] : [`kvm-pv-eoi=${onOff(apic.eoi)}`]),
		...(pvspinlock ? [`kvm-pv-unhalt=${onOff(pvspinlock.state ?? true)}`] : []),
		...hypervFlags(context),
		...(panics.some(({ model }) => model === "hyperv") ? ["hv-crash"] : []),
		...kvmFlags(context),
		...(pmu && !isPpc64(def) ? [`pmu=${onOff(pmu.state ?? true)}`] : []),
		...cacheFlags(def.cpu, context),
		...(maxphysaddr?.mode === "passthrough" ? ["host-phys-bits=on"] : []),
		...(maxphysaddr?.limit ? [`host-phys-bits-limit=${maxphysaddr.limit}`] : []),
		...(maxphysaddr?.mode === "emulate" ? [`phys-bits=${maxphysaddr.bits}`] : []),
	];
}

/** The model of a guest that names none, where flags need one. */
const DEFAULT_MODELS: Readonly<Record<string, string>> = { i686: "qemu32", x86_64: "qemu64" };

/** `-cpu`. */
export function buildCpu(context: BuildContext): void {
	const { command, def, caps } = context;
	const { cpu } = def;
	const named = cpu && (cpu.mode !== "custom" || cpu.model?.name !== undefined);
	const needs32 = def.os.type.arch === "i686" && caps.arch === "x86_64";
	const added = flags(context);
	const model = named ? modelArgument(cpu, context) : needs32 ? "qemu32" : undefined;
	if (model === undefined && added.length === 0) return;
	const base = model ?? DEFAULT_MODELS[def.os.type.arch ?? ""];
	if (base === undefined)
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			`CPU flags requested but can't determine default CPU for arch ${def.os.type.arch}`,
		);
	command.from({ element: cpu ?? def, what: "CPU" }, () => command.add("-cpu", [base, ...added].join(",")));
}
