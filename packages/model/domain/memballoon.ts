// The memory balloon, through which a running guest gives memory back and gets it again.

import { integer, oneOf, onOff } from "@virtkit/xml/codec";
import { attr, child, element, type Infer, type Schema } from "@virtkit/xml/schema";
import { deviceInfo, virtioDriver } from "./device-common.ts";

const stats = element({
	period: attr(integer({ min: -0x80000000, max: 0x7fffffff, base: "auto" }), {
		absent: 0,
		doc: "Seconds between statistics of the guest.",
	}),
});

const memballoonFields = element({
	model: attr(oneOf("virtio", "xen", "none", "virtio-transitional", "virtio-non-transitional"), {
		required: true,
		doc: "Model of the balloon; none for no balloon.",
	}),
	autodeflate: attr(onOff, { doc: "Whether the guest takes memory back before it kills a process for want of it." }),
	freePageReporting: attr(onOff, { doc: "Whether the guest reports pages that it does not use." }),
	stats: child(stats, { doc: "Statistics of the guest's memory." }),
	...deviceInfo,
	driver: child(virtioDriver, { doc: "How a virtio balloon is served." }),
});
/** A memory balloon. */
export type MemballoonDef = Infer<typeof memballoonFields>;
/** The <memballoon> element. */
export const memballoon: Schema<MemballoonDef> = {
	...memballoonFields,
	onRead: (value) => {
		if ((value.stats?.period ?? 0) < 0) delete value.stats;
		if (value.model !== "none") return;
		delete value.alias;
		delete value.address;
		delete value.acpi;
	},
};
