// Cryptographic accelerators.

import { oneOf, uint } from "@virtkit/xml/codec";
import { attr, child, element, type Infer } from "@virtkit/xml/schema";
import { deviceInfo, virtioDriver } from "./device-common.ts";

const backend = element({
	model: attr(oneOf("builtin", "lkcf"), { required: true, doc: "Who computes: QEMU, or the host's kernel." }),
	queues: attr(uint, { absent: 0, doc: "Queues." }),
});

/** The <crypto> element. */
export const crypto = element({
	model: attr(oneOf("virtio"), { required: true, doc: "Model of the device." }),
	type: attr(oneOf("qemu"), { required: true, doc: "Where its work is done." }),
	backend: child(backend, { required: true, doc: "Who computes." }),
	driver: child(virtioDriver, { doc: "How it is served." }),
	alias: deviceInfo.alias,
	address: deviceInfo.address,
});
/** A cryptographic accelerator. */
export type CryptoDef = Infer<typeof crypto>;
