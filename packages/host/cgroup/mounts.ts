// Finds where the kernel's control groups are mounted and which group this process is in (cgroups(7)).

import { readFileSync } from "node:fs";
import { join } from "node:path";

/** libvirt's names of the controllers; v2 knows cpuacct as part of cpu, blkio as io, devices as BPF, freezer as built in. */
export const CONTROLLERS = ["cpu", "cpuacct", "cpuset", "memory", "devices", "blkio", "freezer"] as const;

export type Controller = (typeof CONTROLLERS)[number];

/** One mounted hierarchy. */
export interface CgroupMount {
	readonly folder: string;
	/** This process's group in it, starting with "/". */
	readonly own: string;
}

/** The hierarchies of the host. */
export interface CgroupMounts {
	readonly v1: ReadonlyMap<Controller, CgroupMount>;
	readonly v2: CgroupMount | undefined;
}

/** The kernel writes blanks and backslashes in mount points as \ooo. */
const unescapeOctal = (text: string) =>
	text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** Own groups from /proc/self/cgroup: by v1 controller name, "" for v2. */
function parseOwnGroups(text: string): Map<string, string> {
	const groups = new Map<string, string>();
	for (const line of text.split("\n")) {
		const match = /^\d+:([^:]*):(.*)$/.exec(line);
		if (match === null) continue;
		for (const name of (match[1] ?? "").split(",")) groups.set(name, match[2] ?? "/");
	}
	return groups;
}

/** Parses /proc/self/mountinfo and /proc/self/cgroup. */
export function parseCgroupMounts(mountinfo: string, ownGroups: string): CgroupMounts {
	const own = parseOwnGroups(ownGroups);
	const v1 = new Map<Controller, CgroupMount>();
	let v2: CgroupMount | undefined;
	for (const line of mountinfo.split("\n")) {
		const [left, right] = line.split(" - ");
		if (left === undefined || right === undefined) continue;
		const folder = unescapeOctal(left.split(" ")[4] ?? "");
		const [type, , options = ""] = right.split(" ");
		if (type === "cgroup2") v2 = { folder, own: own.get("") ?? "/" };
		if (type !== "cgroup") continue;
		const names = options.split(",");
		for (const controller of CONTROLLERS.filter((name) => names.includes(name))) {
			v1.set(controller, { folder, own: own.get(controller) ?? "/" });
		}
	}
	return { v1, v2 };
}

/** The hierarchies as this process sees them, under `root` ("/" but in tests). */
export function readCgroupMounts(root = "/"): CgroupMounts {
	const read = (path: string) => {
		try {
			return readFileSync(join(root, path), "utf8");
		} catch {
			return "";
		}
	};
	return parseCgroupMounts(read("proc/self/mountinfo"), read("proc/self/cgroup"));
}
