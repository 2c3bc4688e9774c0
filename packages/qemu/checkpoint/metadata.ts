// What is kept of domains' checkpoints: lib/qemu/checkpoint/DOMAIN/NAME.xml, libvirt's place and form.

import { VirtError } from "@virtkit/base/errors";
import { type CheckpointDef, formatCheckpoint, parseCheckpoint } from "@virtkit/model/checkpoint/checkpoint";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { MomentsByDomain } from "../moments/moments.ts";

export const checkpoints = new MomentsByDomain<CheckpointDef>({
	noun: "checkpoint",
	folder: (paths) => paths.checkpoints,
	format: (moment, active) => formatCheckpoint({ ...moment, active }, { secure: true, status: true }),
	parse: (text) => {
		const { active = 0, ...moment } = parseCheckpoint(text, { redefine: true, stored: true, now: 0 });
		return { moment, current: active };
	},
});

/** The checkpoint of that name. Throws NO_DOMAIN_CHECKPOINT. */
export function neededCheckpoint(driver: Driver, domain: QemuDomain, name: string): CheckpointDef {
	const found = checkpoints.of(driver, domain).byName(name);
	if (found) return found;
	throw new VirtError("NO_DOMAIN_CHECKPOINT", `no domain checkpoint with matching name '${name}'`);
}
