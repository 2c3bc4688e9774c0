// The NBD server of a pull: clients read there the disks as they were, and which parts of them changed.

import { toVirtError, VirtError } from "@virtkit/base/errors";
import type { BackupDef } from "@virtkit/model/backup/backup";
import type { JsonObject } from "../command-line/command-line.ts";
import { formatNode } from "../devices/disk-image.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { type BackupPart, backupParts } from "./backup.ts";

/** libvirt's name of the server's certificates. */
const TLS = "objlibvirt_backup_tls0";

/** Throws OPERATION_UNSUPPORTED where nobody says which port to listen on. */
export function checkServer({ mode, server }: BackupDef): void {
	if (mode === "pull" && server?.transport === "tcp" && server.port === undefined)
		throw new VirtError("OPERATION_UNSUPPORTED", "<domainbackup> must specify TCP port for now");
}

function certificates({ settings }: Driver): JsonObject {
	return {
		"qom-type": "tls-creds-x509",
		id: TLS,
		dir: settings.backupTlsX509CertDir ?? settings.defaultTlsX509CertDir,
		endpoint: "server",
		"verify-peer": settings.backupTlsX509Verify ?? true,
	};
}

/** Starts it. Where that fails nothing of it stays. */
export async function startServer(driver: Driver, run: Run, { server }: BackupDef): Promise<void> {
	if (server === undefined) return;
	const { transport, name, port, socket, tls } = server;
	if (tls) await run.monitor.executeUntyped("object-add", certificates(driver));
	try {
		await run.monitor.executeUntyped("nbd-server-start", {
			addr:
				transport === "unix"
					? { type: "unix", data: { path: socket } }
					: { type: "inet", data: { host: name, port: String(port) } },
			...(tls ? { "tls-creds": TLS } : {}),
		});
	} catch (error) {
		if (tls) await run.monitor.executeUntyped("object-del", { id: TLS });
		throw error;
	}
}

/** Stops it with its exports. That it does not run, or QEMU neither, is no reason to stop. */
export async function stopServer(driver: Driver, run: Run, { mode, server }: BackupDef): Promise<void> {
	if (mode !== "pull" || run.monitor.loss) return;
	const ignore = (error: unknown): void =>
		driver.log.info(`the end of a backup of '${run.live.def.name}': ${toVirtError(error).message}`);
	await run.monitor.executeUntyped("nbd-server-stop", {}).catch(ignore);
	if (server?.tls) await run.monitor.executeUntyped("object-del", { id: TLS }).catch(ignore);
}

/** Has clients find the disks of a pull; those that they can find already stay as they are. */
export async function exportDisks(run: Run, def: BackupDef): Promise<void> {
	if (def.mode !== "pull") return;
	const known = new Set((await run.monitor.execute("query-block-exports")).map(({ id }) => id));
	for (const part of backupParts(def, run)) if (!known.has(exportId(part))) await exportDisk(run, part);
}

const exportId = ({ image }: BackupPart): string => `libvirt-nbd-${formatNode(image)}`;

async function exportDisk(run: Run, part: BackupPart): Promise<void> {
	const { own, image } = part;
	await run.monitor.executeUntyped("block-export-add", {
		type: "nbd",
		id: exportId(part),
		"node-name": formatNode(image),
		writable: false,
		name: own.exportname,
		bitmaps: own.incremental === undefined ? undefined : [own.exportbitmap],
	});
}
