// The destination's side of copied disks: their files, where they are not there yet, and the NBD server that takes them.

import { execFile } from "node:child_process";
import { existsSync, unlinkSync } from "node:fs";
import { promisify } from "node:util";
import { VirtError } from "@virtkit/base/errors";
import type { UndoStack } from "@virtkit/base/undo-stack";
import type { DiskDef } from "@virtkit/model/domain/disk";
import { sourcePath } from "@virtkit/model/domain/disk-source";
import { formatNode, topImage } from "../devices/disk-image.ts";
import type { Run } from "../domain/run.ts";
import type { DriverSettings } from "../settings.ts";
import { anyAddress, bindPort, type MigrationPort } from "./address.ts";
import { copiedDisks, exportName, parseDisksUri } from "./copied-disks.ts";
import { MIGRATE_FLAG, type MigrationParameters } from "./parameters.ts";

const execute = promisify(execFile);

/**
 * Makes the images that are not there, as large as the source's: `capacities` are in bytes, by target. They go with `undo`.
 *
 * Throws OPERATION_UNSUPPORTED where only what lies above other images would be copied, and for what is no file.
 */
export async function makeImages(
	disks: readonly DiskDef[],
	capacities: ReadonlyMap<string, bigint>,
	flags: number,
	undo: UndoStack,
): Promise<void> {
	for (const disk of disks) {
		const path = sourcePath(disk.source);
		if (path === undefined || disk.type === "network" || existsSync(path)) continue;
		if (flags & MIGRATE_FLAG.nonSharedIncremental)
			throw new VirtError(
				"OPERATION_UNSUPPORTED",
				`pre-creation of storage targets for incremental storage migration is not supported: '${path}' of disk ${disk.target.dev} is not there`,
			);
		const capacity = capacities.get(disk.target.dev ?? "");
		if (disk.type !== "file" || capacity === undefined)
			throw new VirtError("OPERATION_UNSUPPORTED", `'${path}' of disk ${disk.target.dev} is not there: make it first`);
		await makeImage(path, disk.driver.type ?? "raw", capacity, undo);
	}
}

async function makeImage(path: string, format: string, capacity: bigint, undo: UndoStack): Promise<void> {
	try {
		await execute("qemu-img", ["create", "-q", "-f", format, path, String(capacity)]);
	} catch (cause) {
		throw new VirtError("OPERATION_FAILED", `cannot make '${path}' for the disk that is to come: ${String(cause)}`, {
			cause,
		});
	}
	undo.defer("the image of a disk that did not come", () => unlinkSync(path));
}

/** What takes the disks; disposing lets go of its port. */
export interface DisksServer extends Disposable {
	/** Undefined at a UNIX socket. */
	readonly port: number | undefined;
	stop(): Promise<void>;
}

/** Which disks are to be taken, and where. */
export interface DisksRequest {
	readonly params: MigrationParameters;
	/** virDomainMigrateFlags */
	readonly flags: number;
	readonly settings: DriverSettings;
}

/**
 * Has QEMU take the disks where it listens for the guest, at a port for migrations, or where the parameters say;
 * encrypted with the certificates of its object `credentials`.
 */
export async function serveDisks(
	run: Run,
	{ params, flags, settings }: DisksRequest,
	credentials: string | undefined,
): Promise<DisksServer> {
	const tls = credentials === undefined ? {} : { "tls-creds": credentials };
	const { monitor } = run;
	const { disksUri, disksPort, listenAddress = anyAddress() } = params;
	const asked = disksUri === undefined ? { host: listenAddress } : parseDisksUri(disksUri);
	let port: MigrationPort | undefined;
	if ("path" in asked)
		await monitor.execute("nbd-server-start", { addr: { type: "unix", data: { path: asked.path } }, ...tls });
	else {
		const given = "port" in asked && asked.port !== undefined ? Number(asked.port) : disksPort || undefined;
		const range = { min: given ?? settings.migrationPortMin, max: given ?? settings.migrationPortMax };
		port = await bindPort(range, (number) =>
			monitor.execute("nbd-server-start", {
				addr: { type: "inet", data: { host: asked.host, port: String(number) } },
				...tls,
			}),
		);
	}
	for (const disk of copiedDisks(run.live.def, params, flags)) {
		const node = formatNode(topImage(disk));
		const id = `libvirt-nbd-${node}`;
		await monitor.executeUntyped("block-export-add", {
			type: "nbd",
			id,
			"node-name": node,
			name: exportName(disk),
			writable: true,
		});
	}
	return {
		port: port?.port,
		stop: async () => void (await monitor.execute("nbd-server-stop")),
		[Symbol.dispose]: () => port?.[Symbol.dispose](),
	};
}
