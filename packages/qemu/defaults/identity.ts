// A definition's name, UUIDs, architecture and emulator.

import { VirtError } from "@virtkit/base/errors";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { SmbiosDef } from "@virtkit/model/domain/sysinfo";
import { uuid } from "@virtkit/xml/codec";
import type { DriverHost } from "../driver-host.ts";

/** Gives `def` what identifies it and decides which emulator it runs in. */
export function completeIdentity(def: DomainDef, host: DriverHost): void {
	if (def.name.includes("/")) throw new VirtError("XML_ERROR", `name ${def.name} cannot contain '/'`);
	if (def.name.includes("\n")) throw new VirtError("XML_DETAIL", "name cannot contain a line break");
	completeUuid(def, host);
	if (def.genid === "") def.genid = host.uuid();
	def.os.type.arch ??= host.arch as NonNullable<typeof def.os.type.arch>;
	def.devices.emulator ??= host.defaultEmulator(def.os.type.arch);
}

/** The UUID of the SMBIOS tables is the domain's own: either may give it, and both must agree. */
function completeUuid(def: DomainDef, host: DriverHost): void {
	for (const { system } of def.sysinfo.filter((one): one is SmbiosDef => one.type === "smbios")) {
		if (system?.uuid === undefined) continue;
		const inTables = uuid.parse(system.uuid);
		if (inTables === undefined) throw new VirtError("XML_DETAIL", `malformed <sysinfo> uuid element '${system.uuid}'`);
		if (def.uuid !== undefined && def.uuid !== inTables)
			throw new VirtError("XML_DETAIL", `UUID mismatch between <uuid> '${def.uuid}' and <sysinfo> '${inTables}'`);
		def.uuid = inTables;
		system.uuid = inTables;
	}
	def.uuid ??= host.uuid();
}
