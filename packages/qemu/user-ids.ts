// Numbers of users and groups by name, and the groups a user is in, from passwd(5) and group(5).

import { readFileSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";

const FILES = { user: "/etc/passwd", group: "/etc/group" } as const;

function linesOf(file: string): string[][] {
	try {
		return readFileSync(file, "utf8")
			.split("\n")
			.map((line) => line.split(":"));
	} catch {
		return [];
	}
}

/** The number of that name; `+123` and a name that is none but all digits are numbers themselves. */
export function findId(name: string, kind: "user" | "group"): number | undefined {
	if (name.startsWith("+")) return /^\+\d+$/.test(name) ? Number(name.slice(1)) : undefined;
	const found = linesOf(FILES[kind]).find(([own]) => own === name)?.[2];
	if (found !== undefined) return Number(found);
	return /^\d+$/.test(name) ? Number(name) : undefined;
}

/** A user and groups to run as. */
export interface RunAs {
	readonly uid: number;
	readonly gid: number;
	/** Groups that list the user as a member. */
	readonly supplementaryGroups: readonly number[];
}

/**
 * Who guests run as under these settings; undefined where they run as the daemon does, which only root can change.
 *
 * Throws CONF_SYNTAX for a name that the host does not know.
 */
export function findRunAs(user: string | undefined, group: string | undefined): RunAs | undefined {
	if (user === undefined || process.getuid?.() !== 0) return undefined;
	const uid = findId(user, "user");
	const gid = group === undefined ? primaryGroup(uid) : findId(group, "group");
	if (uid === undefined) throw new VirtError("CONF_SYNTAX", `user '${user}' of qemu.conf is not known on this host`);
	if (gid === undefined) throw new VirtError("CONF_SYNTAX", `group '${group}' of qemu.conf is not known on this host`);
	if (uid === 0 && gid === 0) return undefined;
	const name = linesOf(FILES.user).find(([, , id]) => Number(id) === uid)?.[0];
	const groups = linesOf(FILES.group).filter(([, , , members]) => name && members?.split(",").includes(name));
	const supplementaryGroups = groups.map(([, , id]) => Number(id)).filter((id) => id !== gid);
	return { uid, gid, supplementaryGroups };
}

function primaryGroup(uid: number | undefined): number | undefined {
	const entry = linesOf(FILES.user).find(([, , id]) => Number(id) === uid);
	return entry === undefined ? undefined : Number(entry[3]);
}
