// What keeps the guest from the host and the host from the guest: encrypted memory, the system call filter.

import { join } from "node:path";
import type { LaunchSecurityDef } from "@virtkit/model/domain/launch-security";
import type { BuildContext } from "../devices/entry.ts";
import type { JsonObject } from "./command-line.ts";

type LaunchSecurity<T extends LaunchSecurityDef["type"]> = Extract<LaunchSecurityDef, { type: T }>;

/** AMD's second generation, whose memory the host cannot even write. */
function snpGuest(security: LaunchSecurity<"sev-snp">): JsonObject {
	return {
		"qom-type": "sev-snp-guest",
		id: "lsec0",
		cbitpos: security.cbitpos,
		"reduced-phys-bits": security.reducedPhysBits,
		policy: security.policy,
		"guest-visible-workarounds": security.guestVisibleWorkarounds,
		"id-block": security.idBlock,
		"id-auth": security.idAuth,
		"host-data": security.hostData,
		"kernel-hashes": security.kernelHashes,
		"author-key-enabled": security.authorKey,
		"vcek-disabled": security.vcek === undefined ? undefined : !security.vcek,
	};
}

/** Intel's trust domains. */
function tdxGuest(security: LaunchSecurity<"tdx">): JsonObject {
	const service = security.quoteGenerationService;
	return {
		"qom-type": "tdx-guest",
		id: "lsec0",
		attributes: security.policy,
		mrconfigid: security.mrConfigId,
		mrowner: security.mrOwner,
		mrownerconfig: security.mrOwnerConfig,
		"quote-generation-socket": service && { type: "unix", path: service.path },
	};
}

/** `-run-with`, or what QEMU had before it: the memory of a guest that ends is given back beside its end. */
export function buildAsyncTeardown({ command, def, caps }: BuildContext): void {
	const teardown = def.features?.["async-teardown"];
	if (teardown?.enabled === undefined) return;
	command.from({ element: teardown, what: "teardown" }, () => {
		if (caps.hasOption("run-with", "async-teardown"))
			command.add("-run-with", `async-teardown=${teardown.enabled ? "on" : "off"}`);
		else if (teardown.enabled) command.add("-async-teardown");
	});
}

/** The object behind confidential computing. */
export function buildLaunchSecurity({ command, def, paths }: BuildContext): void {
	const { launchSecurity } = def;
	if (!launchSecurity) return;
	command.from({ element: launchSecurity, what: "launch security" }, () => {
		if (launchSecurity.type === "s390-pv") {
			command.addJson("-object", { "qom-type": "s390-pv-guest", id: "lsec0" });
			return;
		}
		if (launchSecurity.type !== "sev") {
			command.addJson("-object", launchSecurity.type === "tdx" ? tdxGuest(launchSecurity) : snpGuest(launchSecurity));
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
