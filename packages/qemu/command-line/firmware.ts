// The guest's firmware: flash images as block devices, or an image that is mapped as ROM.

import { hasFlashFirmware } from "../defaults/os.ts";
import type { BuildContext } from "../devices/entry.ts";
import { buildNvramStorage } from "./nvram.ts";

const storageNode = (unit: number): string => `libvirt-pflash${unit}-storage`;
const formatNode = (unit: number): string => `libvirt-pflash${unit}-format`;

/** Names of the flash block devices: code, and variables where there are any. */
export function pflashNodes({ def }: BuildContext): (string | undefined)[] {
	if (!hasFlashFirmware(def)) return [];
	return [formatNode(0), hasVariables(def) ? formatNode(1) : undefined];
}

const hasVariables = ({ os }: BuildContext["def"]): boolean =>
	os.nvram?.path !== undefined || os.nvram?.source !== undefined;

/** The block devices of flash firmware. */
export function buildFlash(context: BuildContext): void {
	const { command, def } = context;
	const { loader, nvram } = def.os;
	if (!loader || !hasFlashFirmware(def)) return;
	command.from({ element: loader, what: "firmware" }, () => {
		command.addJson("-blockdev", {
			driver: "file",
			filename: loader.path,
			"node-name": storageNode(0),
			"auto-read-only": true,
			discard: "unmap",
		});
		addFormat(context, 0, loader.readonly ?? false, loader.format);
	});
	if (!nvram || !hasVariables(def)) return;
	command.from({ element: nvram, what: "firmware variables" }, () => {
		buildNvramStorage(context, storageNode(1));
		addFormat(context, 1, false, nvram.format);
	});
}

function addFormat({ command }: BuildContext, unit: number, readOnly: boolean, driver = "raw"): void {
	command.addJson("-blockdev", {
		"node-name": formatNode(unit),
		"read-only": readOnly,
		driver,
		file: storageNode(unit),
	});
}

/** An image mapped as ROM, or the lock on flash variables that only system management mode may write. */
export function buildLoader({ command, def }: BuildContext): void {
	const { loader } = def.os;
	if (!loader) return;
	command.from({ element: loader, what: "firmware" }, () => {
		if (loader.type === "rom" && loader.path !== undefined) command.add("-bios", loader.path);
		if (loader.type === "pflash" && loader.secure)
			command.add("-global", "driver=cfi.pflash01,property=secure,value=on");
	});
}
