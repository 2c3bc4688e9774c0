// Features that a machine always has: written out where the definition is silent.

import { VirtError } from "@virtkit/base/errors";
import type { DefineContext } from "../devices/entry.ts";
import { isMachine } from "../machine.ts";

/** Arm's `virt` machine always has an interrupt controller; version 2 is what works with QEMU's own emulation. */
export function completeFeatures({ def, caps }: DefineContext): void {
	const { gic } = def.features ?? {};
	if (gic ? gic.version !== undefined : !isMachine(def, "armVirt")) return;
	const usable = def.type === "kvm" ? (caps.facts.gicVersions ?? []) : [];
	const version = (["3", "2"] as const).find((one) => usable.includes(one)) ?? "2";
	def.features = { ...def.features, gic: { version } };
}

const MIB = 1024 * 1024;

/** The memory segment of system management mode exists on q35 alone, in whole MiB. */
export function checkTseg({ def, caps }: DefineContext): void {
	const { smm } = def.features ?? {};
	if (!smm?.state || smm.tseg === undefined) return;
	const refuse = (message: string): never => {
		throw new VirtError("CONFIG_UNSUPPORTED", message);
	};
	if (!isMachine(def, "q35")) refuse("SMM TSEG is only supported with q35 machine type");
	if (!caps.has("mch", "extended-tseg-mbytes")) refuse("Setting TSEG size is not supported with this QEMU binary");
	if (smm.tseg % MIB !== 0) refuse(`SMM TSEG size must be divisible by 1 MiB, and is ${smm.tseg} bytes`);
}
