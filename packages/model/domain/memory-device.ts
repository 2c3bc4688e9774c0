// Memory modules that are plugged in apart from the guest's main memory: DIMMs, NVDIMMs, virtio-mem, virtio-pmem, SGX.

import { type Codec, integer, oneOf, str, uuid, yesNo } from "@virtkit/xml/codec";
import { childNamed } from "@virtkit/xml/node";
import { documentError, positionOf } from "@virtkit/xml/read";
import { amountLeaf, readAmount } from "@virtkit/xml/scaled";
import { attr, child, element, flag, type Infer, type Loose, leaf, type Schema, special } from "@virtkit/xml/schema";
import { deviceInfo, virtioDriver } from "./device-common.ts";
import { numberSetCode, someNumbers } from "./number-sets.ts";

/** Models of memory modules (virDomainMemoryModel). */
export const MEMORY_MODELS = ["dimm", "nvdimm", "virtio-pmem", "virtio-mem", "sgx-epc"] as const;
export type MemoryModel = (typeof MEMORY_MODELS)[number];

const inModel =
	(...models: readonly MemoryModel[]) =>
	(_: Loose, parent: Loose | undefined): boolean =>
		models.includes(parent?.model as MemoryModel);

const source = element({
	path: leaf(str, { when: inModel("nvdimm", "virtio-pmem"), doc: "File that backs the module." }),
	alignsize: amountLeaf("alignsize", { when: inModel("nvdimm"), doc: "KiB that the mapping is aligned to." }),
	pmem: flag({ when: inModel("nvdimm"), doc: "The file is on persistent memory." }),
	nodemask: leaf(someNumbers, {
		when: inModel("dimm", "virtio-mem", "sgx-epc"),
		code: numberSetCode,
		doc: "NUMA nodes of the host that the memory comes from.",
	}),
	pagesize: amountLeaf("pagesize", { when: inModel("dimm", "virtio-mem"), doc: "KiB of the pages that back it." }),
});

const label = element({ size: amountLeaf("size", { doc: "KiB of the label area." }) });

/** `<size>`, which must be there. */
const size = special<number>({
	doc: "KiB of the module.",
	required: true,
	read: (holder) => {
		const found = childNamed(holder, "size");
		if (found) return readAmount(found);
		throw documentError(holder, `missing element or attribute './size' in element '${holder.name}'`);
	},
	write: (value, indent) => `${" ".repeat(indent)}<size unit='KiB'>${value}</size>\n`,
	json: { type: "integer", minimum: 0 },
	takes: { children: ["size"] },
});

/** As C's base 16 and base 0 read it. */
const hex64: Codec<bigint> = {
	parse: (written) => (/^\s*(?:0[xX])?[0-9a-fA-F]{1,16}\s*$/.test(written) ? BigInt(asHex(written.trim())) : undefined),
	format: (value) => `0x${value.toString(16)}`,
	allowed: "a hexadecimal number of up to 64 bits",
	json: { type: "string" },
};
const asHex = (written: string): string => (/^0[xX]/.test(written) ? written : `0x${written}`);

const target = element({
	dynamicMemslots: attr(yesNo, {
		when: inModel("virtio-mem"),
		doc: "Whether the hypervisor's slots are taken only as the memory is used.",
	}),
	size,
	node: leaf(integer({ min: 0, max: 0x7fffffff }), { doc: "NUMA node of the guest." }),
	label: child(label, { when: inModel("nvdimm"), doc: "Label area of an NVDIMM." }),
	readonly: flag({ when: inModel("nvdimm"), doc: "The guest cannot write." }),
	block: amountLeaf("block", { when: inModel("virtio-mem"), doc: "KiB that are plugged at once, a power of two." }),
	requested: amountLeaf("requested", {
		when: inModel("virtio-mem"),
		show: (self) => Boolean(self.block),
		doc: "KiB that the guest is to have.",
	}),
	current: amountLeaf("current", {
		when: inModel("virtio-mem"),
		live: true,
		show: (self) => Boolean(self.block),
		doc: "KiB that the guest has.",
	}),
	address: child(element({ base: attr(hex64, { required: true, doc: "Guest physical address." }) }), {
		when: inModel("virtio-mem", "virtio-pmem"),
		doc: "Where in the guest's memory the module begins.",
	}),
});

const memoryDeviceFields = element({
	model: attr(oneOf(...MEMORY_MODELS), { required: true, doc: "Model of the module." }),
	access: attr(oneOf("shared", "private"), { doc: "Whether other processes see what the guest writes." }),
	discard: attr(yesNo, { doc: "Whether the content is thrown away when the module goes." }),
	uuid: leaf(uuid, { when: (self) => self.model === "nvdimm", code: "INTERNAL_ERROR", doc: "UUID (pSeries)." }),
	driver: child(virtioDriver, {
		when: (self) => self.model === "virtio-mem" || self.model === "virtio-pmem",
		doc: "How a virtio module is served.",
	}),
	source: child(source, { doc: "What backs the module." }),
	target: child(target, { required: true, doc: "What the guest sees." }),
	...deviceInfo,
});
/** A memory module. */
export type MemoryDeviceDef = Infer<typeof memoryDeviceFields>;
/** The <memory> element among the devices. */
export const memoryDevice: Schema<MemoryDeviceDef> = { ...memoryDeviceFields, onRead: checkTarget };

/** Smallest label area of an NVDIMM, in KiB. */
const MIN_LABEL = 128;

function checkTarget(value: MemoryDeviceDef): void {
	const { target: to, model } = value;
	if (model === "virtio-mem") to.requested ??= 0;
	const labelSize = to.label?.size ?? 0;
	if (model !== "nvdimm") return;
	if (labelSize && labelSize < MIN_LABEL)
		throw documentError(positionOf(value), `nvdimm label must be at least ${MIN_LABEL}KiB`);
	if (labelSize >= to.size) throw documentError(positionOf(value), "label size must be smaller than NVDIMM size");
}
