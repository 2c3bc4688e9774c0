// `-boot`, a kernel that is booted directly, ACPI tables.

import type { BuildContext } from "../devices/entry.ts";
import { escapeCommas } from "./command-line.ts";

/** Signatures of tables that hold data alone, of which QEMU writes the header. */
const SIGNATURES: Readonly<Record<string, string>> = { slic: "sig=SLIC,", msdm: "sig=MSDM," };

/** `-boot` and `-kernel` with what belongs to it. */
export function buildBoot({ command, def }: BuildContext): void {
	const { bootmenu, bios, kernel, initrd, cmdline, shim, dtb, acpi } = def.os;
	const parameters = [
		...(bootmenu?.enable === undefined ? [] : [`menu=${bootmenu.enable ? "on" : "off"}`]),
		...(bios?.rebootTimeout === undefined ? [] : [`reboot-timeout=${bios.rebootTimeout}`]),
		...(bootmenu?.enable && bootmenu.timeout !== undefined ? [`splash-time=${bootmenu.timeout}`] : []),
		"strict=on",
	];
	command.from({ element: def.os, what: "boot" }, () => command.add("-boot", parameters.join(",")));
	for (const [option, leaf, value] of [
		["-kernel", "kernel", kernel],
		["-initrd", "initrd", initrd],
		["-append", "cmdline", cmdline],
		["-shim", "shim", shim],
		["-dtb", "dtb", dtb],
	] as const)
		if (value !== undefined)
			command.from({ element: def.os, leaf, what: `${leaf} that is booted` }, () => command.add(option, value));
	for (const table of acpi?.table ?? [])
		command.from({ element: table, what: `ACPI table ${table.type}` }, () =>
			command.add("-acpitable", `${SIGNATURES[table.type] ?? ""}file=${escapeCommas(table.path)}`),
		);
}
