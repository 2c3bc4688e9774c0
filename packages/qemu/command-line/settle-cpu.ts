// The CPU that is really asked of QEMU: host-model named, checked against the host, without features QEMU must not be told.

import { VirtError } from "@virtkit/base/errors";
import type { CpuDef } from "@virtkit/model/domain/cpu";
import { hostModel } from "../capabilities/host-model.ts";
import { REMOVED_FEATURES } from "../capabilities/model-definitions.ts";
import type { DefineContext } from "../devices/entry.ts";
import { isPpc64, isX86 } from "../machine.ts";
import { checkCpu, hostFeatures } from "./check-cpu.ts";

/** Features that libvirt knows and QEMU must not be told. */
const HIDDEN_FEATURES = new Set(["cmt", "mbm_total", "mbm_local", "osxsave", "ospke", "pconfig"]);

/** Settles the CPU of a guest that is about to start (qemuProcessUpdateGuestCPU). */
export function settleCpu(context: DefineContext): void {
	const { def } = context;
	const { cpu } = def;
	if (!cpu || (cpu.mode === "custom" && cpu.model?.name === undefined)) return;
	checkMode(cpu, context);
	if (!isX86(def)) return;
	if (cpu.mode === "custom") {
		checkCpu(cpu, context);
		settleOptional(cpu, context);
		if (cpu.match === "minimum") nameHostModel(cpu, context);
	} else if (cpu.mode === "host-model") nameHostModel(cpu, context);
	if (cpu.mode === "custom") switchRemovedOff(cpu);
	cpu.feature = cpu.feature.filter(({ name }) => !HIDDEN_FEATURES.has(name));
}

function checkMode(cpu: CpuDef, { def, caps, host }: DefineContext): void {
	const accelerator = caps.accelerator(def.type);
	const supported =
		cpu.mode === "host-passthrough"
			? def.type === "kvm" && caps.isNative(host.arch)
			: cpu.mode === "host-model"
				? isPpc64(def) || hostModel(caps, def.type, true) !== undefined
				: cpu.mode === "maximum" || (accelerator?.cpus.length ?? 0) > 0;
	if (!supported)
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			`CPU mode '${cpu.mode}' for ${def.os.type.arch} ${def.type} domain on ${host.arch} host is not supported by hypervisor`,
		);
	const { name, fallback } = cpu.model ?? {};
	const known = accelerator?.cpus.some((one) => one.name === name) ?? false;
	if (cpu.mode === "custom" && isX86(def) && !known && fallback === "forbid")
		throw new VirtError("CONFIG_UNSUPPORTED", `CPU model ${name} is not supported by hypervisor`);
}

/** Names the model that is like the host's, with the guest's own features over it. */
function nameHostModel(cpu: CpuDef, { caps, def }: DefineContext): void {
	const described = hostModel(caps, def.type, true);
	if (!described) throw new VirtError("CONFIG_UNSUPPORTED", "unknown host CPU model");
	const features: CpuDef["feature"] = described.features.map((feature) => ({ ...feature }));
	for (const own of cpu.feature) {
		const place = features.findIndex(({ name }) => name === own.name);
		if (place < 0) features.push(own);
		else features[place] = own;
	}
	cpu.mode = "custom";
	cpu.match = "exact";
	cpu.model = { ...cpu.model, name: described.model, fallback: "forbid" };
	cpu.feature = features;
}

/** An optional feature is there exactly where the host has it. */
function settleOptional(cpu: CpuDef, context: DefineContext): void {
	const host = hostFeatures(context);
	if (!host) return;
	for (const feature of cpu.feature)
		if (feature.policy === "optional") feature.policy = host.has(feature.name) ? "require" : "disable";
}

function switchRemovedOff(cpu: CpuDef): void {
	for (const name of REMOVED_FEATURES[cpu.model?.name ?? ""] ?? [])
		if (!cpu.feature.some((feature) => feature.name === name)) cpu.feature.push({ name, policy: "disable" });
}
