// `-boot`, a kernel that is booted directly, ACPI tables.

import type { BuildContext } from "../devices/entry.ts";
import { escapeCommas } from "./command-line.ts";

/** `-boot` and `-kernel` with what belongs to it. */
export function buildBoot({ command, def }: BuildContext): void {
	const { bootmenu, bios, kernel, initrd, cmdline, dtb, acpi } = def.os;
	const parameters = [
		...(bootmenu?.enable === undefined ? [] : [`menu=${bootmenu.enable ? "on" : "off"}`]),
		...(bios?.rebootTimeout === undefined ? [] : [`reboot-timeout=${bios.rebootTimeout}`]),
		...(bootmenu?.enable && bootmenu.timeout !== undefined ? [`splash-time=${bootmenu.timeout}`] : []),
		"strict=on",
	];
	command.from({ element: def.os, what: "boot" }, () => {
		command.add("-boot", parameters.join(","));
		if (kernel !== undefined) command.add("-kernel", kernel);
		if (initrd !== undefined) command.add("-initrd", initrd);
		if (cmdline !== undefined) command.add("-append", cmdline);
		if (dtb !== undefined) command.add("-dtb", dtb);
		for (const { path } of acpi?.table ?? []) command.add("-acpitable", `sig=SLIC,file=${escapeCommas(path)}`);
	});
}
