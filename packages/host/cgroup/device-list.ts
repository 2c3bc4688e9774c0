// Which device nodes the members of a group may use: v1's devices.allow and devices.deny, v2's program.

import { readFileSync, type Stats, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemError } from "../system-error.ts";
import { attachDeviceProgram } from "./device-program.ts";
import type { Cgroup } from "./group.ts";

/** What is allowed of a device, or of all with that major number. */
export interface DeviceRule {
	readonly type: "b" | "c";
	readonly major: number;
	/** Undefined stands for any. */
	readonly minor: number | undefined;
	/** Letters of read, write, mknod, in that order. */
	readonly access: string;
}

/** The numbers of a device node; undefined for a file of another kind. Throws what stat(2) fails with. */
export function deviceNumbers(path: string): Omit<DeviceRule, "access"> | undefined {
	return numbersOf(statSync(path));
}

function numbersOf(stat: Stats): Omit<DeviceRule, "access"> | undefined {
	const type = stat.isBlockDevice() ? "b" : stat.isCharacterDevice() ? "c" : undefined;
	// makedev(3): the lower 12 bits of the major number from bit 8 on, the lower 8 of the minor at 0, their others above.
	const device = BigInt(stat.rdev);
	const major = Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xffff_f000n));
	const minor = Number((device & 0xffn) | ((device >> 12n) & 0xffff_ff00n));
	return type && { type, major, minor };
}

const nodeOf = ({ type, major, minor }: Omit<DeviceRule, "access">): string => `${type} ${major}:${minor ?? "*"}`;

/** One rule for each device, with all that any of them allows. */
function merged(rules: readonly DeviceRule[]): Map<string, DeviceRule> {
	const found = new Map<string, DeviceRule>();
	for (const rule of rules) {
		const access = (found.get(nodeOf(rule))?.access ?? "") + rule.access;
		found.set(nodeOf(rule), { ...rule, access: [..."rwm"].filter((letter) => access.includes(letter)).join("") });
	}
	return found;
}

/** Rules as devices.list has them, by device; undefined where everything is allowed. */
function readList(folder: string): Map<string, string> | undefined {
	const lines = readFileSync(join(folder, "devices.list"), "latin1").split("\n");
	if (lines.some((line) => line.startsWith("a "))) return undefined;
	return new Map(
		lines.filter((line) => line !== "").map((line) => [line.slice(0, line.lastIndexOf(" ")), line.split(" ")[2] ?? ""]),
	);
}

/**
 * Allows the members of the group these devices and no others, whatever held before.
 *
 * Nothing that stays allowed is refused meanwhile. Throws SYSTEM_ERROR, EPERM for one, where the host does not let us.
 */
export function setDeviceList(group: Cgroup, rules: readonly DeviceRule[]): void {
	const folder = group.folderOf("devices");
	const wanted = merged(rules);
	if (group.place.version === 2) return attachDeviceProgram(folder, [...wanted.values()]);
	const write = (file: string, text: string): void => {
		try {
			writeFileSync(join(folder, file), text);
		} catch (error) {
			throw systemError(`Unable to write to '${join(folder, file)}'`, error);
		}
	};
	let now = readList(folder);
	if (now === undefined) write("devices.deny", "a");
	now ??= new Map();
	for (const [node, { access }] of wanted) if (now.get(node) !== access) write("devices.allow", `${node} ${access}`);
	for (const [node, access] of now) {
		const kept = wanted.get(node)?.access ?? "";
		const surplus = [...access].filter((letter) => !kept.includes(letter)).join("");
		if (surplus !== "") write("devices.deny", `${node} ${surplus}`);
	}
}
