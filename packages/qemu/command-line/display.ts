// No display for a guest without graphics, and none of QEMU's own configuration and default devices.

import type { BuildContext } from "../devices/entry.ts";

/** `-display none`, `-no-user-config`, `-nodefaults`. */
export function buildNoDefaults({ command, def }: BuildContext): void {
	const { graphics } = def.devices;
	if (graphics.length === 0) command.from({ what: "no graphics" }, () => command.add("-display", "none"));
	command.add("-no-user-config");
	command.add("-nodefaults");
}
