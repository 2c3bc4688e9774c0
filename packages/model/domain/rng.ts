// Sources of randomness for the guest.

import { oneOf, str, uint } from "@virtkit/xml/codec";
import { elementsOf } from "@virtkit/xml/node";
import { documentError, positionOf } from "@virtkit/xml/read";
import { attr, child, element, type Infer, type Loose, type Schema, text } from "@virtkit/xml/schema";
import { CHARDEV_TYPES, chardevFields, settleChardev } from "./chardev.ts";
import { deviceInfo, virtioDriver } from "./device-common.ts";

const rate = element({
	bytes: attr(uint, { absent: 0, doc: "Bytes that the guest gets in each period." }),
	period: attr(uint, { absent: 0, show: (self) => self.bytes !== undefined, doc: "Milliseconds of a period." }),
});

const isModel =
	(model: string) =>
	(self: Loose): boolean =>
		self.model === model;

const backendFields = element({
	model: attr(oneOf("random", "egd", "builtin"), {
		required: true,
		code: "CONFIG_UNSUPPORTED",
		doc: "Where randomness comes from: a device of the host, an entropy daemon, or QEMU.",
	}),
	type: attr(oneOf(...CHARDEV_TYPES), {
		when: isModel("egd"),
		code: "CONFIG_UNSUPPORTED",
		doc: "How the entropy daemon is reached.",
	}),
	file: text(str, { when: isModel("random"), doc: "Device of the host, /dev/random where absent." }),
	...chardevFields,
});
/** Where the randomness of a device comes from. */
export type RngBackendDef = Infer<typeof backendFields>;
const backend: Schema<RngBackendDef> = {
	...backendFields,
	onRead: (value, found, context) => {
		if (value.model !== "egd") return;
		if (value.type === undefined) throw documentError(positionOf(value), "missing EGD backend type");
		settleChardev(value, found, context);
	},
};

const rngFields = element({
	model: attr(oneOf("virtio", "virtio-transitional", "virtio-non-transitional"), {
		required: true,
		code: "CONFIG_UNSUPPORTED",
		doc: "Generation of the virtio device.",
	}),
	rate: child(rate, { doc: "Limit of what the guest gets." }),
	backend: child(backend, { required: true, keepEmpty: true, doc: "Where the randomness comes from." }),
	driver: child(virtioDriver, { doc: "How it is served." }),
	...deviceInfo,
});
/** A source of randomness. */
export type RngDef = Infer<typeof rngFields>;
/** The <rng> element. */
export const rng: Schema<RngDef> = {
	...rngFields,
	onRead: (value, found) => {
		if (elementsOf(found).filter((each) => each.name === "backend").length !== 1)
			throw documentError(positionOf(value), "only one RNG backend is supported");
		if (value.rate?.bytes === undefined) delete value.rate;
	},
};
