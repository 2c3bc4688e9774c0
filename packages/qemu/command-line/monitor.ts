// The monitor's socket: made by the daemon and passed as a descriptor, or named by its path where only text is wanted.

import type { BuildContext } from "../devices/entry.ts";
import { escapeCommas } from "./command-line.ts";

/** Key of the monitor's listening descriptor among a build's descriptors. */
export const MONITOR: object = Object.freeze({ name: "monitor" });

/** `-chardev` and `-mon` of the monitor. */
export function buildMonitor({ command, paths, descriptors }: BuildContext): void {
	const [fd] = descriptors.get(MONITOR) ?? [];
	const where = fd === undefined ? `path=${escapeCommas(paths.monitor)}` : `fd=${command.passFd(fd)}`;
	command.add("-chardev", `socket,id=charmonitor,${where},server=on,wait=off`);
	command.add("-mon", "chardev=charmonitor,id=monitor,mode=control");
}
