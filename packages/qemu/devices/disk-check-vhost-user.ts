// What a disk that another process serves cannot have: everything that QEMU itself would do with the image.

import { VirtError } from "@virtkit/base/errors";
import type { DiskDef } from "@virtkit/model/domain/disk";
import { hasLimits } from "./disk-throttle.ts";

/** Parts of the definition that would have to be absent, by the name that the message calls them. */
const REFUSED: readonly (readonly [name: string, given: (disk: DiskDef) => unknown])[] = [
	["cache", ({ driver }) => driver.cache],
	["error_policy", ({ driver }) => driver.error_policy ?? driver.rerror_policy],
	["io", ({ driver }) => driver.io],
	["ioeventfd", ({ driver }) => driver.ioeventfd],
	["copy_on_read", ({ driver }) => driver.copy_on_read],
	["discard", ({ driver }) => driver.discard],
	["iothread", ({ driver }) => driver.iothread],
	["detect_zeroes", ({ driver }) => driver.detect_zeroes],
	["metadata_cache", ({ driver }) => driver.metadata_cache?.max_size],
	["iotune", ({ iotune }) => hasLimits(iotune) || iotune?.group_name !== undefined || undefined],
	["backingStore", ({ backingStore }) => backingStore],
	["encryption", ({ encryption, source }) => encryption ?? source?.encryption],
	["readonly", ({ readonly }) => readonly],
	["shareable", ({ shareable }) => shareable],
	["transient", ({ transient }) => transient],
	["serial", ({ serial }) => serial],
	["wwn", ({ wwn }) => wwn],
	["vendor", ({ vendor }) => vendor],
	["product", ({ product }) => product],
	["auth", ({ auth, source }) => auth ?? source?.auth],
	["geometry", ({ geometry }) => geometry],
	["blockio", ({ blockio }) => blockio],
];

/** Throws CONFIG_UNSUPPORTED where a vhost-user disk has what it cannot have. */
export function checkVhostUserDisk(disk: DiskDef): void {
	const refuse = (message: string): never => {
		throw new VirtError("CONFIG_UNSUPPORTED", message);
	};
	if (disk.target.bus !== "virtio") refuse("vhostuser disk supports only virtio bus");
	if (disk.snapshot !== "no") refuse("only snapshot=no is supported with vhostuser disk");
	const given = REFUSED.find(([, part]) => part(disk) !== undefined);
	if (given) refuse(`${given[0]} is not supported with vhostuser disk`);
}
