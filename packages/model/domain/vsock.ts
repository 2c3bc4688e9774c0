// Sockets between the guest and the host (AF_VSOCK).

import { integer, oneOf, yesNo } from "@virtkit/xml/codec";
import { attr, child, element, type Infer } from "@virtkit/xml/schema";
import { deviceInfo, virtioDriver } from "./device-common.ts";

const cid = element({
	auto: attr(yesNo, { doc: "Whether the address is chosen at each start." }),
	address: attr(integer({ min: 1, max: 0xffffffff }), { doc: "Address of the guest, 3 and up." }),
});

/** The <vsock> element. */
export const vsock = element({
	model: attr(oneOf("default", "virtio", "virtio-transitional", "virtio-non-transitional"), {
		absent: "default",
		doc: "Generation of the virtio device.",
	}),
	cid: child(cid, { doc: "Address of the guest." }),
	...deviceInfo,
	driver: child(virtioDriver, { doc: "How it is served." }),
});
/** A vsock device. */
export type VsockDef = Infer<typeof vsock>;
