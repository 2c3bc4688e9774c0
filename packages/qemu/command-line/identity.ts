// Who the guest is: name, UUID, generation id; the paused start and the key that encrypts what passes the monitor.

import { join } from "node:path";
import type { BuildContext } from "../devices/entry.ts";
import { escapeCommas } from "./command-line.ts";

/** `-name`. */
export function buildName({ command, def, settings }: BuildContext): void {
	const process = settings.setProcessName ? `,process=qemu:${def.name}` : "";
	command.from({ element: def, leaf: "name", what: "name of the guest" }, () =>
		command.add("-name", `guest=${escapeCommas(def.name)}${process},debug-threads=on`),
	);
}

/** What becomes of deprecated options (QEMU: -compat), by libvirt's words. */
const COMPATIBILITY: Readonly<Record<string, { readonly [key: string]: string }>> = {
	omit: { "deprecated-output": "hide" },
	reject: { "deprecated-output": "hide", "deprecated-input": "reject" },
	crash: { "deprecated-output": "hide", "deprecated-input": "crash" },
};

/** `-compat`, where the definition asks for it. */
export function buildCompatibility({ command, def, caps }: BuildContext): void {
	const behaviour = def.qemuDeprecation?.behavior;
	const policy = behaviour === undefined ? undefined : COMPATIBILITY[behaviour];
	// QEMU does not list the option; it came before objects could be written in JSON.
	if (policy && caps.hasSchema("object-add/arg-type/qom-type/^secret"))
		command.from({ element: def.qemuDeprecation ?? def, what: "deprecation behaviour" }, () =>
			command.addJson("-compat", policy),
		);
}

/** `-S`: CPUs stand still until the daemon has set everything up. */
export function buildPausedStart({ command }: BuildContext): void {
	command.add("-S");
}

/** The secret that other secrets of the guest are encrypted with. */
export function buildMasterKey({ command, paths }: BuildContext): void {
	command.addJson("-object", {
		"qom-type": "secret",
		id: "masterKey0",
		format: "raw",
		file: join(paths.work, "master-key.aes"),
	});
}

/** `-uuid`. */
export function buildUuid({ command, def }: BuildContext): void {
	command.from({ element: def, leaf: "uuid", what: "UUID of the guest" }, () => command.add("-uuid", def.uuid ?? ""));
}

/** The device that tells the guest its generation id. */
export function buildGenerationId({ command, def }: BuildContext): void {
	if (def.genid === undefined) return;
	const device = { driver: "vmgenid", guid: def.genid, id: "vmgenid0" };
	command.from({ element: def, leaf: "genid", what: "generation id" }, () => command.addJson("-device", device));
}
