// What virtio devices have in common on the command line: the driver's name by bus and generation, and shared options.

import { VirtError } from "@virtkit/base/errors";
import type { DeviceInfo, VirtioOptions } from "@virtkit/model/domain/device-common";
import type { JsonObject } from "../command-line/command-line.ts";
import type { DefineContext } from "./entry.ts";

const SUFFIXES: Readonly<Record<string, string>> = { pci: "pci", "virtio-mmio": "device", ccw: "ccw" };

/** `virtio-blk` and where the device sits: virtio-blk-pci, virtio-blk-ccw, virtio-blk-pci-transitional. Throws for other buses. */
export function virtioDriver(
	base: string,
	{ address }: DeviceInfo,
	{ caps }: DefineContext,
	model?: string | undefined,
): string {
	const suffix = SUFFIXES[address?.type ?? ""];
	if (suffix === undefined)
		throw new VirtError("INTERNAL_ERROR", `Unexpected address type for '${base}': '${address?.type ?? "none"}'`);
	const generation = model === "virtio-transitional" || model === "virtio-non-transitional" ? model.slice(6) : "";
	if (generation === "") return `${base}-${suffix}`;
	if (suffix !== "pci")
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			`virtio (non-)transitional models are not supported for address type=${address?.type}`,
		);
	if (caps.has("virtio-blk-pci-transitional")) return `${base}-${suffix}${generation}`;
	if (generation === "-transitional") return `${base}-${suffix}`;
	throw new VirtError("CONFIG_UNSUPPORTED", "virtio non-transitional model not supported for this qemu");
}

/** Properties of the options that every virtio device has. */
export function virtioProps(options: VirtioOptions | undefined): JsonObject {
	return {
		iommu_platform: options?.iommu,
		ats: options?.ats,
		packed: options?.packed,
		"page-per-vq": options?.page_per_vq,
	};
}

const OPTIONS = ["iommu", "ats", "packed", "page_per_vq"] as const;

/** Throws CONFIG_UNSUPPORTED where options of virtio are given to another device. */
export function refuseVirtioOptions(options: VirtioOptions | undefined): void {
	const given = OPTIONS.find((name) => options?.[name] !== undefined);
	if (given) throw new VirtError("CONFIG_UNSUPPORTED", `${given} driver option is only supported for virtio devices`);
}
