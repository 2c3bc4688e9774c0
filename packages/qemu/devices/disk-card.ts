// SD cards on the command line: the machine's own drives, which QEMU takes as -drive alone.

import type { DiskDef } from "@virtkit/model/domain/disk";
import { diskNameIndex } from "@virtkit/model/domain/disk-name";
import { escapeCommas, type Json } from "../command-line/command-line.ts";
import { effectiveDetectZeroes } from "./block-format.ts";
import { protocolProps } from "./block-storage.ts";
import { effectiveCache, isEmptyDisk, topImage } from "./disk-image.ts";
import { encryptionSecret } from "./disk-secrets.ts";
import type { DefineContext } from "./entry.ts";

/** The value of -drive for an SD card. */
export function formatCardDrive(disk: DiskDef, context: DefineContext): string {
	const options = [
		...sourceOptions(disk, context),
		...encryptionOptions(disk),
		"if=sd",
		`index=${diskNameIndex(disk.target.dev ?? "")}`,
	];
	if (disk.readonly) options.push("readonly=on");
	// QEMU takes none of the others where there is no card in the slot.
	if (!isEmptyDisk(disk)) options.push(...flatOptions("", driverOptions(disk)));
	return options.join(",");
}

function driverOptions(disk: DiskDef): Json {
	const { driver } = disk;
	return {
		cache: effectiveCache(disk),
		"copy-on-read": driver.copy_on_read,
		discard: driver.discard,
		"detect-zeroes": effectiveDetectZeroes(driver.discard, driver.detect_zeroes),
		aio: driver.io,
	};
}

function sourceOptions(disk: DiskDef, context: DefineContext): string[] {
	const { type, source, device } = disk;
	if (type === "network") return flatOptions("file.", protocolProps(topImage(disk), context));
	const path = source?.file ?? source?.dev;
	if (path !== undefined) return [`file=${escapeCommas(path)}`];
	if (source?.dir === undefined) return [];
	return [`file=fat:${device === "floppy" ? "floppy:" : ""}${escapeCommas(source.dir)}`];
}

function encryptionOptions(disk: DiskDef): string[] {
	const { driver, type } = disk;
	const image = topImage(disk);
	const secret = image.encryption && encryptionSecret(image);
	const isLuks = driver.type === "raw" && secret !== undefined;
	const format = driver.type === undefined || type === "dir" ? [] : [`format=${isLuks ? "luks" : driver.type}`];
	if (secret === undefined) return format;
	if (isLuks) return [`key-secret=${secret}`, ...format];
	return ["encrypt.format=luks", `encrypt.key-secret=${secret}`, ...format];
}

/** Nested properties in QEMU's dotted syntax: `file.server.0.host=example.com`. */
function flatOptions(prefix: string, value: Json | undefined): string[] {
	if (value === undefined || value === null) return [];
	if (typeof value !== "object") {
		const text = typeof value === "boolean" ? (value ? "on" : "off") : escapeCommas(String(value));
		return [`${prefix.slice(0, -1)}=${text}`];
	}
	return Object.entries(value).flatMap(([name, each]) => flatOptions(`${prefix}${name}.`, each));
}
