// What keeps the guest from the host and the host from the guest: encrypted memory, the system call filter.

import { join } from "node:path";
import type { BuildContext } from "../devices/entry.ts";

/** The object behind confidential computing. */
export function buildLaunchSecurity({ command, def, paths }: BuildContext): void {
	const { launchSecurity } = def;
	if (!launchSecurity) return;
	command.from({ element: launchSecurity, what: "launch security" }, () => {
		if (launchSecurity.type === "s390-pv") {
			command.addJson("-object", { "qom-type": "s390-pv-guest", id: "lsec0" });
			return;
		}
		const { cbitpos, reducedPhysBits, policy, dhCert, session, kernelHashes } = launchSecurity;
		command.addJson("-object", {
			"qom-type": "sev-guest",
			id: "lsec0",
			cbitpos,
			"reduced-phys-bits": reducedPhysBits,
			policy,
			"dh-cert-file": dhCert === undefined ? undefined : join(paths.work, "dh_cert.base64"),
			"session-file": session === undefined ? undefined : join(paths.work, "session.base64"),
			"kernel-hashes": kernelHashes,
		});
	});
}

/** `-sandbox`. */
export function buildSandbox({ command, settings, caps }: BuildContext): void {
	if (!caps.hasOption("sandbox")) return;
	command.add(
		"-sandbox",
		settings.seccompSandbox ? "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny" : "off",
	);
}

/** The device in which the guest leaves where its crash information is. */
export function buildVmCoreInfo({ command, def }: BuildContext): void {
	const { vmcoreinfo } = def.features ?? {};
	if (vmcoreinfo?.state)
		command.from({ element: vmcoreinfo, what: "vmcoreinfo" }, () =>
			command.addJson("-device", { driver: "vmcoreinfo" }),
		);
}
