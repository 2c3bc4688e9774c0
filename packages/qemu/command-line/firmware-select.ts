// Chooses firmware for a guest that asks for a kind of it, from the images that the host describes.

import { VirtError } from "@virtkit/base/errors";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { FirmwareDescriptor } from "../defaults/firmware-descriptor.ts";
import { nvramPath } from "../defaults/os.ts";
import type { DefineContext } from "../devices/entry.ts";

/** The guest's wish for a feature: must have, must not have, does not mind. */
function wish(def: DomainDef, name: string): boolean | undefined {
	return def.os.firmwareFeatures?.feature.find((feature) => feature.name === name)?.enabled;
}

/** QEMU's name of an architecture in descriptors. */
const ARCHITECTURES: Readonly<Record<string, string>> = { i686: "i386", armv7l: "arm", armv6l: "arm" };

/** Whether `machine` is one that a descriptor's pattern (`pc-q35-*`) means. */
export function matchesMachine(pattern: string, machine: string): boolean {
	const expression = pattern
		.replace(/[.+^${}()|\\]/g, "\\$&")
		.replaceAll("*", ".*")
		.replaceAll("?", ".");
	return new RegExp(`^${expression}$`).test(machine);
}

/** Whether an image of `descriptor` does for the guest. */
function suits(descriptor: FirmwareDescriptor, def: DomainDef): boolean {
	const { firmware, loader, type } = def.os;
	const { features, interfaces, mapping, targets } = descriptor;
	if (!interfaces.includes(firmware === "bios" ? "bios" : "uefi")) return false;
	const arch = ARCHITECTURES[type.arch ?? ""] ?? type.arch;
	if (
		!targets.some(
			({ architecture, machines }) =>
				architecture === arch && machines.some((pattern) => matchesMachine(pattern, type.machine ?? "")),
		)
	)
		return false;
	const has = (feature: string): boolean => features.includes(feature);
	const secure = wish(def, "secure-boot") ?? (loader?.secure ? true : undefined);
	const enrolled = wish(def, "enrolled-keys");
	if (enrolled !== undefined && enrolled !== has("enrolled-keys")) return false;
	if (secure !== undefined && secure !== has("secure-boot")) return false;
	if (has("requires-smm") && !has("secure-boot")) return false;
	if (has("requires-smm") && def.features?.smm?.state === false) return false;
	if (loader?.secure && !has("requires-smm")) return false;
	if (loader?.secure === false && has("requires-smm")) return false;
	if (mapping.device !== "flash") return firmware === "bios" || loader?.stateless === true;
	if (loader?.stateless === true) return mapping.mode === "stateless";
	return mapping.mode !== "stateless" || loader?.stateless === undefined;
}

/** Replaces the wish for a kind of firmware by an image, with its variables (qemuFirmwareFillDomain). */
export function selectFirmware({ def, host }: DefineContext): void {
	const { firmware } = def.os;
	if (firmware === undefined) return;
	const chosen = host.firmware.find((descriptor) => suits(descriptor, def));
	if (!chosen)
		throw new VirtError(
			"OPERATION_FAILED",
			`Unable to find any firmware to satisfy '${firmware}' for ${def.os.type.arch} ${def.os.type.machine}; install a firmware package, or name an image in <loader>`,
		);
	enable(chosen, def, host.nvramDir);
}

function enable({ mapping, features }: FirmwareDescriptor, def: DomainDef, nvramDir: string): void {
	const { os } = def;
	if (mapping.device !== "flash") {
		os.loader = { ...os.loader, type: "rom", path: mapping.filename };
	} else {
		os.loader = { ...os.loader, type: "pflash", readonly: true, path: mapping.executable.filename };
		if (mapping.nvramTemplate && os.loader.stateless !== true) {
			const template = os.nvram?.template ?? mapping.nvramTemplate.filename;
			os.nvram = { ...os.nvram, template };
			if (os.nvram.source === undefined) os.nvram.path ??= nvramPath(def, nvramDir);
		}
	}
	if (features.includes("requires-smm")) {
		def.features = { ...def.features, smm: { ...def.features?.smm, state: true } };
		os.loader.secure = true;
	}
	os.firmware = undefined;
	os.firmwareFeatures = undefined;
}
