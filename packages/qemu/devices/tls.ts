// Certificates with which QEMU encrypts connections, as an object of its own.

import type { BuildContext } from "./entry.ts";

export interface TlsUse {
	/** Id of the object. */
	readonly id: string;
	/** Folder of the certificates; the general one where absent. */
	readonly dir?: string | undefined;
	readonly endpoint: "server" | "client";
	/** Whether the other side must show a certificate; it must where absent. */
	readonly verify?: boolean | undefined;
}

/** Appends the object that holds the certificates. */
export function addTlsCredentials({ id, dir, endpoint, verify = true }: TlsUse, context: BuildContext): void {
	const { command, settings } = context;
	command.addJson("-object", {
		"qom-type": "tls-creds-x509",
		id,
		dir: dir ?? settings.defaultTlsX509CertDir,
		endpoint,
		"verify-peer": verify,
	});
}
