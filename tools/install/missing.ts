// Which of the packages in the table are not on this machine, told by the files they bring.

import { accessSync, constants, globSync } from "node:fs";
import { join } from "node:path";
import { PURPOSES, type Purpose, type SystemPackage } from "../packages.ts";

/** Where to look: the processor in Node's naming, and the folders of programs. */
export interface Machine {
	readonly cpu: string;
	readonly path: string;
}

// QEMU's and the kernel's name for what Node calls so.
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64" };

/** This machine; /usr/sbin is looked in also for users whose PATH leaves it out. */
export function thisMachine(): Machine {
	return { cpu: process.arch, path: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` };
}

function isExecutable(file: string): boolean {
	try {
		accessSync(file, constants.X_OK);
		return true;
	} catch {
		return false;
	}
}

function isPresent(sign: string, machine: Machine): boolean {
	const named = sign.replace("$ARCH", ARCHITECTURES[machine.cpu] ?? machine.cpu);
	if (named.startsWith("/")) return globSync(named).length > 0;
	return machine.path.split(":").some((folder) => folder !== "" && isExecutable(join(folder, named)));
}

/** The package's name in Debian on that machine; undefined where Debian has none for its processor. */
export function packageName(entry: SystemPackage, machine: Machine): string | undefined {
	return typeof entry.name === "string" ? entry.name : entry.name[machine.cpu];
}

/** The rows needed for `purpose` of which nothing shows that they are there. */
export function missingFor(
	purpose: Purpose,
	table: readonly SystemPackage[],
	machine: Machine,
): readonly SystemPackage[] {
	const needed = PURPOSES.slice(0, PURPOSES.indexOf(purpose) + 1);
	return table.filter(
		(entry) => needed.includes(entry.purpose) && !entry.present.some((sign) => isPresent(sign, machine)),
	);
}
