// Gives files to a guest's user while it runs, and back to whom they belonged: the DAC half of confinement.

import { chownSync, statSync } from "node:fs";
import { isErrno, systemError } from "./system-error.ts";

/** Who owned a path before it was given away; plain data, so that a daemon can keep it across its restart. */
export interface FormerOwner {
	readonly path: string;
	readonly uid: number;
	readonly gid: number;
}

/** A user and a group. */
export interface Owner {
	readonly uid: number;
	readonly gid: number;
}

/**
 * Makes `owner` own `path` (a symbolic link's target); returns what `restoreOwnership` needs, undefined when it was
 * the owner already.
 *
 * A file system that knows no owners (EPERM or ENOTSUP on a network mount, EROFS) is left as it is, as libvirt does:
 * whether the guest's user can open the file shows when QEMU does.
 */
export function takeOwnership(path: string, owner: Owner): FormerOwner | undefined {
	try {
		const { uid, gid } = statSync(path);
		if (uid === owner.uid && gid === owner.gid) return undefined;
		chownSync(path, owner.uid, owner.gid);
		return { path, uid, gid };
	} catch (error) {
		if (isErrno(error, "EPERM", "ENOTSUP", "EROFS", "EINVAL")) return undefined;
		throw systemError(`unable to set user and group to '${owner.uid}:${owner.gid}' on '${path}'`, error);
	}
}

/** Gives the paths back, the last taken first; one that is gone is passed over. Returns the errors of the others. */
export function restoreOwnership(former: readonly FormerOwner[]): Error[] {
	const errors: Error[] = [];
	for (const { path, uid, gid } of former.toReversed()) {
		try {
			chownSync(path, uid, gid);
		} catch (error) {
			if (isErrno(error, "ENOENT", "EPERM", "EROFS")) continue;
			errors.push(systemError(`unable to restore user and group '${uid}:${gid}' on '${path}'`, error));
		}
	}
	return errors;
}
