// Hyper-V enlightenments that are left to the host: those that it can give, spelled out before the guest starts.

import { VirtError } from "@virtkit/base/errors";
import { HYPERV_ENLIGHTENMENTS } from "../capabilities/hyperv.ts";
import type { DefineContext } from "../devices/entry.ts";

/** Enlightenments that only a document chooses: they carry an identity of the guest's own, or nest hypervisors. */
type OwnChoice = "vendor_id" | "evmcs" | "vsm";
const OWN_CHOICES: ReadonlySet<string> = new Set<OwnChoice>(["vendor_id", "evmcs", "vsm"]);
const CHOSEN = HYPERV_ENLIGHTENMENTS.filter((name): name is Exclude<typeof name, OwnChoice> => !OWN_CHOICES.has(name));

/** Spinlocks never tell the hypervisor (Hyper-V TLFS). */
const NEVER = 0xffffffff;

/** Names what mode `host-model` stands for; what the document says goes before it. Throws CONFIG_UNSUPPORTED without KVM. */
export function settleHyperv({ def, caps }: DefineContext): void {
	const { hyperv } = def.features ?? {};
	if (!hyperv) return;
	if (hyperv.spinlocks?.state) hyperv.spinlocks.retries ??= NEVER;
	if (hyperv.mode !== "host-model") return;
	const known = caps.accelerator(def.type)?.hyperv;
	if (known === undefined)
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			`hyperv mode 'host-model' is not supported for domain type '${def.type}' on this host`,
		);
	for (const name of CHOSEN) {
		if (hyperv[name] !== undefined || !known.includes(name.replaceAll("_", "-"))) continue;
		if (name === "spinlocks") hyperv.spinlocks = { state: true, retries: NEVER };
		else hyperv[name] = { state: true };
	}
	if (hyperv.stimer?.state && known.includes("stimer-direct")) hyperv.stimer.direct ??= { state: true };
	if (hyperv.tlbflush?.state) {
		if (known.includes("tlbflush-direct")) hyperv.tlbflush.direct ??= { state: true };
		if (known.includes("tlbflush-ext")) hyperv.tlbflush.extended ??= { state: true };
	}
	hyperv.mode = "custom";
}
