// Emulated IOMMUs.

import { oneOf, onOff, uint } from "@virtkit/xml/codec";
import { attr, child, element, type Infer } from "@virtkit/xml/schema";
import { deviceInfo } from "./device-common.ts";

const driver = element({
	intremap: attr(onOff, { doc: "Whether interrupts are remapped." }),
	caching_mode: attr(onOff, { doc: "Caching mode, which assigned devices need." }),
	eim: attr(onOff, { doc: "Extended interrupt mode." }),
	iotlb: attr(onOff, { doc: "Whether devices may keep translations themselves." }),
	aw_bits: attr(uint, { absent: 0, doc: "Bits of an address." }),
});

/** The <iommu> element. */
export const iommu = element({
	model: attr(oneOf("intel", "smmuv3", "virtio"), { required: true, doc: "Model of the IOMMU." }),
	driver: child(driver, { doc: "How it behaves." }),
	...deviceInfo,
});
/** An IOMMU. */
export type IommuDef = Infer<typeof iommu>;
