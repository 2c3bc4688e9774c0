// What mode host-model of Hyper-V enlightenments stands for.

import assert from "node:assert/strict";
import test from "node:test";
import { defineContext } from "@virtkit/testing/define-context";
import { settleHyperv } from "./settle-hyperv.ts";

function contextOf(features: string, hyperv: readonly string[] | undefined) {
	const context = defineContext("", { elements: `<features>${features}</features>` });
	Object.assign(context.caps, { accelerator: () => (hyperv ? { cpus: [], hyperv } : { cpus: [] }) });
	return context;
}

test("host-model names what the host can give, and what the document says goes before it", () => {
	const document = "<hyperv mode='host-model'><vapic state='off'/><vendor_id state='on' value='us'/></hyperv>";
	const known = ["relaxed", "vapic", "spinlocks", "stimer", "stimer-direct", "tlbflush", "tlbflush-ext", "xmm-input"];
	const context = contextOf(document, known);
	settleHyperv(context);
	assert.deepEqual(JSON.parse(JSON.stringify(context.def.features?.hyperv)), {
		mode: "custom",
		vapic: { state: false },
		vendor_id: { state: true, value: "us" },
		relaxed: { state: true },
		spinlocks: { state: true, retries: 0xffffffff },
		stimer: { state: true, direct: { state: true } },
		tlbflush: { state: true, extended: { state: true } },
		xmm_input: { state: true },
	});
});

test("spinlocks without retries never tell, in any mode", () => {
	const context = contextOf("<hyperv><spinlocks state='on'/></hyperv>", undefined);
	settleHyperv(context);
	assert.equal(context.def.features?.hyperv?.spinlocks?.retries, 0xffffffff);
});

test("host-model without enlightenments to be had is refused", () => {
	assert.throws(() => settleHyperv(contextOf("<hyperv mode='host-model'/>", undefined)), {
		code: "CONFIG_UNSUPPORTED",
	});
});
