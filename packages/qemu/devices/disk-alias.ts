// A disk's id in QEMU, which its place on its bus decides.

import type { DiskDef } from "@virtkit/model/domain/disk";
import { parseDiskName } from "@virtkit/model/domain/disk-name";
import { findController } from "../addresses/controllers.ts";
import type { DefineContext } from "./entry.ts";

/** `virtio-disk0`, `ide0-0-1`. */
export function diskAlias(disk: DiskDef, { def }: Pick<DefineContext, "def">): string {
	const { address, target } = disk;
	if (address?.type !== "drive") return `${target.bus}-disk${parseDiskName(target.dev ?? "")?.index ?? -1}`;
	const { controller, bus, target: id, unit } = address;
	const wide = target.bus === "scsi" && findController(def, "scsi", controller)?.model !== "lsilogic";
	return `${target.bus}${[controller, bus, ...(wide ? [id] : []), unit].join("-")}`;
}
