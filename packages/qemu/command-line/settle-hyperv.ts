// Hyper-V enlightenments that are left to the host: those that it can give, spelled out before the guest starts.

import { VirtError } from "@virtkit/base/errors";
import type { DefineContext } from "../devices/entry.ts";

/** Enlightenments that are chosen where the document does not speak of them; the others carry an identity of the guest's own. */
const CHOSEN = [
	"relaxed",
	"vapic",
	"spinlocks",
	"vpindex",
	"runtime",
	"synic",
	"stimer",
	"reset",
	"frequencies",
	"reenlightenment",
	"tlbflush",
	"ipi",
	"avic",
	"emsr_bitmap",
	"xmm_input",
] as const;

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
