// Which disks a migration copies because both hosts do not share them, and under which names they pass.

import { VirtError } from "@virtkit/base/errors";
import { type DiskDef, isEmptySource } from "@virtkit/model/domain/disk";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { MIGRATE_FLAG, type MigrationParameters } from "./parameters.ts";

/** virDomainMigrateFlags that have disks copied. */
const COPYING = MIGRATE_FLAG.nonSharedDisks | MIGRATE_FLAG.nonSharedIncremental;

/**
 * The disks to copy: those that were named, else all that the guest writes and nobody shares; none without the flags for it.
 * Throws INVALID_ARG for a name that no disk has, OPERATION_UNSUPPORTED for one that cannot be copied.
 */
export function copiedDisks({ devices }: DomainDef, { disks: names }: MigrationParameters, flags: number): DiskDef[] {
	if (!(flags & COPYING)) return [];
	if (names === undefined)
		return devices.disks.filter((disk) => !disk.shareable && !disk.readonly && !isEmptySource(disk.source));
	return names.map((name) => {
		const disk = devices.disks.find(({ target }) => target.dev === name);
		if (disk === undefined) throw new VirtError("INVALID_ARG", `disk target ${name} not found`);
		if (disk.readonly || isEmptySource(disk.source))
			throw new VirtError("OPERATION_UNSUPPORTED", `Cannot migrate empty or read-only disk ${name}`);
		return disk;
	});
}

/** The disk's name at the NBD server of the destination, and of the job that copies it. */
export const exportName = (disk: DiskDef): string => `drive-${disk.alias}`;

/** Where the destination takes disks: QEMU's SocketAddress. */
export type DisksAddress =
	| { readonly type: "inet"; readonly host: string; readonly port: string }
	| { readonly type: "unix"; readonly path: string };

const URI = /^(tcp|unix):\/\/([^/]*)(\/.*)?$/;
const SERVER = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d{1,5}))?$/;

/** What a disks URI says: `tcp://HOST[:PORT]` or `unix:///PATH`. Throws INVALID_ARG. */
export function parseDisksUri(
	uri: string,
): { readonly path: string } | { readonly host: string; readonly port?: string } {
	const [, scheme, server = "", path] = URI.exec(uri) ?? [];
	if (scheme === undefined)
		throw new VirtError("INVALID_ARG", `disks URI '${uri}' is neither tcp://HOST:PORT nor unix:///PATH`);
	if (scheme === "unix") {
		if (path === undefined) throw new VirtError("INVALID_ARG", "UNIX disks URI does not include path");
		return { path };
	}
	const [, bracketed, plain, port] = SERVER.exec(server) ?? [];
	const host = bracketed ?? plain;
	if (!host) throw new VirtError("INVALID_ARG", `URI with tcp scheme did not provide a server part: ${uri}`);
	return port === undefined ? { host } : { host, port };
}
