// Who guests run as when the settings do not say: an unprivileged user of the host.

import { findId } from "@virtkit/qemu/user-ids";

/** Users made for this purpose by virtkit's and libvirt's packages, then the one that owns nothing. */
const USERS = ["virtkit-qemu", "libvirt-qemu", "nobody"];

/** The first of them that the host knows, with the group that may use /dev/kvm; nobody changes for a daemon that is not root. */
export function defaultUser(uid: number): { user?: string; group?: string } {
	if (uid !== 0) return {};
	const user = USERS.find((name) => findId(name, "user") !== undefined);
	const group = findId("kvm", "group") === undefined ? undefined : "kvm";
	return { ...(user === undefined ? {} : { user }), ...(group === undefined ? {} : { group }) };
}
