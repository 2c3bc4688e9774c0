// Writes into a running guest's definition where it stands on the host: its partition of resources, the user it runs as.

import type { DomainDef } from "@virtkit/model/domain/domain";
import type { Driver } from "../driver-context.ts";

/** libvirt's partition of guests that name none. */
const PARTITION = "/machine";

/** Fills in what the definition leaves to the host. */
export function placeOnHost(driver: Driver, def: DomainDef): void {
	def.resource ??= {};
	def.resource.partition ??= PARTITION;
	const { uid, gid } = driver.runAs ?? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
	const label = `+${uid}:+${gid}`;
	const own = def.seclabel.find(({ model }) => model === "dac");
	if (own?.type === "none") return;
	if (own) {
		own.label ??= label;
		if (own.relabel) own.imagelabel ??= own.label;
	} else if (!def.seclabel.some(({ model, type }) => model === undefined && type === "none"))
		def.seclabel.push({ type: "dynamic", model: "dac", relabel: true, implicit: true, label, imagelabel: label });
}
