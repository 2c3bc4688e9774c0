// Firmware as far as it is settled when a guest is defined; automatic selection happens at start (firmware.ts).

import { join } from "node:path";
import { VirtError } from "@virtkit/base/errors";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { DefineContext } from "../devices/entry.ts";

/** Whether the definition names a read-only UEFI image in flash. */
export function hasFlashFirmware(def: DomainDef): boolean {
	const { loader } = def.os;
	return loader?.type === "pflash" && loader.path !== undefined;
}

/** Path of the variables that the driver keeps for a guest. */
export function nvramPath(def: DomainDef, nvramDir: string): string {
	return join(nvramDir, `${def.name}_VARS.fd`);
}

/** A read-only flash image without variables gets a file for them. */
export function completeNvram({ def, host }: DefineContext): void {
	const { loader, nvram } = def.os;
	if (!hasFlashFirmware(def) || loader?.readonly !== true) return;
	if (loader.stateless === true || nvram?.path !== undefined || nvram?.source) return;
	def.os.nvram = { ...nvram, path: nvramPath(def, host.nvramDir) };
}

/** Settles loader type and firmware features (virDomainDefPostParseOs). */
export function completeLoader({ def }: DefineContext): void {
	const { loader, firmwareFeatures } = def.os;
	const features = firmwareFeatures?.feature ?? [];
	if (features.some(({ name, enabled }) => name === "enrolled-keys" && enabled)) {
		const secure = features.find(({ name }) => name === "secure-boot");
		if (secure && !secure.enabled)
			throw new VirtError(
				"XML_DETAIL",
				"firmware feature 'enrolled-keys' cannot be enabled when firmware feature 'secure-boot' is disabled",
			);
		if (!secure) features.push({ name: "secure-boot", enabled: true });
	}
	if (loader?.path !== undefined) loader.type ??= "rom";
}
