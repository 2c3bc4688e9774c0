// Looks up users and groups by name or number, as configuration files and domain documents name them.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";

/** An account of the host. */
export interface User {
	readonly name: string;
	readonly uid: number;
	/** Its primary group. */
	readonly gid: number;
	readonly home: string;
}

/** A group of the host. */
export interface Group {
	readonly name: string;
	readonly gid: number;
	readonly members: readonly string[];
}

type Database = "passwd" | "group";

/** The local file first: it answers at once, and nearly always; getent knows directory services too. */
function lookUp(database: Database, key: string, field: number): string[] | undefined {
	const local = readFileSync(`/etc/${database}`, "utf8")
		.split("\n")
		.map((line) => line.split(":"))
		.find((fields) => fields[field] === key);
	if (local !== undefined) return local;
	try {
		const line = execFileSync("getent", [database, key], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
		return line.trimEnd().split(":");
	} catch {
		return undefined;
	}
}

const userOf = ([name = "", , uid, gid, , home = "/"]: readonly string[]): User => ({
	name,
	uid: Number(uid),
	gid: Number(gid),
	home,
});

const groupOf = ([name = "", , gid, members = ""]: readonly string[]): Group => ({
	name,
	gid: Number(gid),
	members: members.split(",").filter((member) => member !== ""),
});

/** The account of this number, undefined where it has none. */
export function findUserById(uid: number): User | undefined {
	const fields = lookUp("passwd", `${uid}`, 2);
	return fields === undefined ? undefined : userOf(fields);
}

/** The account of this name, undefined where there is none. */
export function findUserByName(name: string): User | undefined {
	const fields = lookUp("passwd", name, 0);
	return fields === undefined ? undefined : userOf(fields);
}

/** The group of this name, undefined where there is none. */
export function findGroupByName(name: string): Group | undefined {
	const fields = lookUp("group", name, 0);
	return fields === undefined ? undefined : groupOf(fields);
}

/** libvirt's notation: "+107" is a number for sure, "107" is one unless it is somebody's name. */
const NUMERIC = /^\+?(\d{1,10})$/;

/** The user number that `text` stands for. @throws VirtError INVALID_ARG. */
export function parseUserId(text: string): number {
	const named = text.startsWith("+") ? undefined : findUserByName(text);
	const number = NUMERIC.exec(text)?.[1];
	const uid = named?.uid ?? (number === undefined ? undefined : Number(number));
	if (uid === undefined) throw new VirtError("INVALID_ARG", `Failed to parse user '${text}'`, { domain: "NONE" });
	return uid;
}

/** The group number that `text` stands for. @throws VirtError INVALID_ARG. */
export function parseGroupId(text: string): number {
	const named = text.startsWith("+") ? undefined : findGroupByName(text);
	const number = NUMERIC.exec(text)?.[1];
	const gid = named?.gid ?? (number === undefined ? undefined : Number(number));
	if (gid === undefined) throw new VirtError("INVALID_ARG", `Failed to parse group '${text}'`, { domain: "NONE" });
	return gid;
}

/** The groups that list `user` as a member, besides its primary one, from the local file. */
export function supplementaryGroups(user: string): number[] {
	return readFileSync("/etc/group", "utf8")
		.split("\n")
		.map((line) => groupOf(line.split(":")))
		.filter((group) => group.members.includes(user))
		.map((group) => group.gid);
}
