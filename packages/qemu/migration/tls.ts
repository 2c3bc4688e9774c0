// Migration over TLS: QEMU gets the host's certificates as an object for as long as the guest is on its way.

import { existsSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import type { QmpClient } from "@virtkit/qmp/client";
import type { DriverSettings } from "../settings.ts";
import { MIGRATE_FLAG } from "./parameters.ts";

/** The object's id, as libvirt names it. */
const ID = "objlibvirt_migrate_tls0";
/** libvirt's folder of certificates for migration alone, used where nobody names one and it is there. */
const OWN_FOLDER = "/etc/pki/libvirt-migrate";

export interface MigrationTls extends AsyncDisposable {
	/** What QEMU's migration parameters say of it. */
	readonly values: { readonly "tls-creds": string; readonly "tls-hostname": string };
}

function folderOf({ migrateTlsX509CertDir, defaultTlsX509CertDir }: DriverSettings): string {
	return migrateTlsX509CertDir ?? (existsSync(OWN_FOLDER) ? OWN_FOLDER : defaultTlsX509CertDir);
}

/** Throws OPERATION_INVALID where guests of this host only travel encrypted. */
export function checkTls({ migrateTlsForce }: DriverSettings, flags: number): void {
	if (migrateTlsForce && !(flags & (MIGRATE_FLAG.tls | MIGRATE_FLAG.tunnelled)))
		throw new VirtError("OPERATION_INVALID", "this libvirtd instance allows migration only with VIR_MIGRATE_TLS flag");
}

/**
 * Gives QEMU the certificates. `hostname` is what the destination's certificate must be for; empty for the host that QEMU
 * itself connects to. Throws what QEMU says of the certificates.
 */
export async function giveCertificates(
	monitor: QmpClient,
	settings: DriverSettings,
	endpoint: "server" | "client",
	hostname: string,
): Promise<MigrationTls> {
	const remove = () => monitor.execute("object-del", { id: ID });
	// One that a failed migration left behind.
	await remove().catch(() => undefined);
	await monitor.execute("object-add", {
		"qom-type": "tls-creds-x509",
		id: ID,
		dir: folderOf(settings),
		endpoint,
		"verify-peer": endpoint === "client" || (settings.migrateTlsX509Verify ?? true),
	});
	return {
		values: { "tls-creds": ID, "tls-hostname": hostname },
		[Symbol.asyncDispose]: async () => {
			if (!monitor.loss) await remove().catch(() => undefined);
		},
	};
}
