// The CPU that is really asked of QEMU: checked against the host, with features QEMU does not know left out.

import { VirtError } from "@virtkit/base/errors";
import type { DefineContext } from "../devices/entry.ts";
import { isX86 } from "../machine.ts";

/** Features that libvirt knows and QEMU must not be told. */
const HIDDEN_FEATURES = new Set(["cmt", "mbm_total", "mbm_local", "osxsave", "ospke"]);

/** Settles the CPU of a guest that is about to start (qemuProcessUpdateGuestCPU). */
export function settleCpu(context: DefineContext): void {
	const { def, caps, host } = context;
	const { cpu } = def;
	if (!cpu || (cpu.mode === "custom" && cpu.model?.name === undefined)) return;
	if (cpu.mode === "host-passthrough" && (def.type !== "kvm" || !caps.isNative(host.arch)))
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			`CPU mode '${cpu.mode}' for ${def.os.type.arch} ${def.type} domain on ${host.arch} host is not supported by hypervisor`,
		);
	if (isX86(def)) cpu.feature = cpu.feature.filter(({ name }) => !HIDDEN_FEATURES.has(name));
}
