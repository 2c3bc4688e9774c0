// Emulated IOMMUs.

import { int, oneOf, onOff, uint } from "@virtkit/xml/codec";
import { amountAttribute } from "@virtkit/xml/scaled";
import { attr, child, element, type Infer } from "@virtkit/xml/schema";
import { deviceInfo } from "./device-common.ts";

const granule = element({
	mode: attr(oneOf("host"), { doc: "The host's page size." }),
	size: amountAttribute("size", { doc: "KiB of it." }),
});

const driver = element({
	intremap: attr(onOff, { doc: "Whether interrupts are remapped." }),
	caching_mode: attr(onOff, { doc: "Caching mode, which assigned devices need." }),
	eim: attr(onOff, { doc: "Extended interrupt mode." }),
	iotlb: attr(onOff, { doc: "Whether devices may keep translations themselves." }),
	aw_bits: attr(uint, { absent: 0, doc: "Bits of an address." }),
	dma_translation: attr(onOff, { doc: "Whether DMA is translated, and not interrupts alone." }),
	xtsup: attr(onOff, { doc: "Interrupts of 32-bit APIC ids (AMD)." }),
	passthrough: attr(onOff, { doc: "Whether devices may be left untranslated (AMD)." }),
	pciBus: attr(int, { doc: "Root bus whose devices it serves (smmuv3)." }),
	accel: attr(onOff, { doc: "Whether the host's IOMMU translates for the guest (smmuv3)." }),
	ats: attr(onOff, { doc: "Whether devices may ask for translations (smmuv3)." }),
	ril: attr(onOff, { doc: "Whether ranges of translations are invalidated at once (smmuv3)." }),
	ssidsize: attr(int, { doc: "Bits of a substream id (smmuv3)." }),
	oas: attr(int, { doc: "Bits of an output address (smmuv3)." }),
	cmdqv: attr(onOff, { doc: "Command queues of the guest's own (smmuv3)." }),
	granule: child(granule, { doc: "Smallest translation (virtio)." }),
});

/** The <iommu> element. */
export const iommu = element({
	model: attr(oneOf("intel", "smmuv3", "virtio", "amd"), { required: true, doc: "Model of the IOMMU." }),
	driver: child(driver, { doc: "How it behaves." }),
	...deviceInfo,
});
/** An IOMMU. */
export type IommuDef = Infer<typeof iommu>;
