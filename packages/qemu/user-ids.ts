// Who guests run as: the user and groups that the settings name.

import { VirtError } from "@virtkit/base/errors";
import { findUserById, parseGroupId, parseUserId, supplementaryGroups } from "@virtkit/host/user";

/** A user and groups to run as. */
export interface RunAs {
	readonly uid: number;
	readonly gid: number;
	/** Further groups of the user. */
	readonly supplementaryGroups: readonly number[];
}

/** The number of a user or group by its name or number; undefined where the host has none such. */
export function findId(name: string, kind: "user" | "group"): number | undefined {
	try {
		return kind === "user" ? parseUserId(name) : parseGroupId(name);
	} catch {
		return undefined;
	}
}

/**
 * Who guests run as under these settings; undefined where they run as the daemon does, which only root can change.
 *
 * Throws CONF_SYNTAX for a name that the host does not know.
 */
export function findRunAs(user: string | undefined, group: string | undefined): RunAs | undefined {
	if (user === undefined || process.getuid?.() !== 0) return undefined;
	const uid = findId(user, "user");
	if (uid === undefined) throw new VirtError("CONF_SYNTAX", `user '${user}' of qemu.conf is not known on this host`);
	const account = findUserById(uid);
	const gid = group === undefined ? account?.gid : findId(group, "group");
	if (gid === undefined) throw new VirtError("CONF_SYNTAX", `group '${group}' of qemu.conf is not known on this host`);
	if (uid === 0 && gid === 0) return undefined;
	const groups = account === undefined ? [] : supplementaryGroups(account.name);
	return { uid, gid, supplementaryGroups: groups.filter((id) => id !== gid) };
}
