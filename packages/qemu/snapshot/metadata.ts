// What is kept of domains' snapshots: lib/qemu/snapshot/DOMAIN/NAME.xml, libvirt's place and form.

import { VirtError } from "@virtkit/base/errors";
import { formatSnapshot, parseSnapshot, type SnapshotDef } from "@virtkit/model/snapshot/snapshot";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { MomentsByDomain } from "../moments/moments.ts";

export const snapshots = new MomentsByDomain<SnapshotDef>({
	noun: "snapshot",
	folder: (paths) => paths.snapshots,
	format: (moment, active) => formatSnapshot({ ...moment, active }, { secure: true, status: true }),
	parse: (text) => {
		const { active = 0, ...moment } = parseSnapshot(text, { redefine: true, offline: false, now: 0 });
		return { moment, current: active };
	},
});

/** The snapshot of that name. Throws NO_DOMAIN_SNAPSHOT. */
export function neededSnapshot(driver: Driver, domain: QemuDomain, name: string): SnapshotDef {
	const found = snapshots.of(driver, domain).byName(name);
	if (found) return found;
	throw new VirtError("NO_DOMAIN_SNAPSHOT", `no domain snapshot with matching name '${name}'`);
}
