// What a migration is asked for: libvirt's flags and typed parameters (virDomainMigrateFlags, VIR_MIGRATE_PARAM_*).

import { VirtError } from "@virtkit/base/errors";
import type { TypedParam } from "@virtkit/core/typed-params";

/** virDomainMigrateFlags that are carried out. */
export const MIGRATE_FLAG = {
	live: 1,
	peerToPeer: 2,
	tunnelled: 4,
	persistent: 8,
	undefineSource: 16,
	paused: 32,
	nonSharedDisks: 64,
	nonSharedIncremental: 128,
	changeProtection: 256,
	unsafe: 512,
	offline: 1024,
	compressed: 2048,
	abortOnError: 4096,
	autoConverge: 8192,
	rdmaPinAll: 1 << 14,
	postcopy: 1 << 15,
	tls: 1 << 16,
	parallel: 1 << 17,
	synchronousWrites: 1 << 18,
	postcopyResume: 1 << 19,
	zerocopy: 1 << 20,
} as const;

export interface MigrationParameters {
	readonly name?: string;
	readonly xml?: string;
	/** The definition that the destination stores. */
	readonly persistentXml?: string;
	readonly uri?: string;
	readonly listenAddress?: string;
	/** Where viewers of the guest's display go on. */
	readonly graphicsUri?: string;
	/** MiB a second; 0 without limit. */
	readonly bandwidth?: bigint;
	/** MiB a second, once the guest has gone over; 0 without limit. */
	readonly postcopyBandwidth?: bigint;
	/** Targets of the disks to copy; all that need it where absent. */
	readonly disks?: readonly string[];
	/** Where the destination takes them. */
	readonly disksUri?: string;
	readonly disksPort?: number;
	/** How memory is compressed: `xbzrle`, `mt`, with several connections `zlib`, `zstd`. */
	readonly compression?: readonly string[];
	readonly compressLevel?: number;
	readonly compressThreads?: number;
	readonly decompressThreads?: number;
	readonly zlibLevel?: number;
	readonly zstdLevel?: number;
	/** Bytes. */
	readonly xbzrleCacheSize?: bigint;
	/** Per cent. */
	readonly throttleInitial?: number;
	readonly throttleIncrement?: number;
	readonly parallelConnections?: number;
	/** Whom the destination's certificate must be for, where it is not the host of the URI. */
	readonly tlsDestination?: string;
}

const INT = 1;
const ULLONG = 4;
const STRING = 7;

interface Field {
	readonly member: keyof MigrationParameters;
	readonly type: number;
	/** May occur again and again. */
	readonly many?: boolean;
}

/** Parameters by libvirt's names. */
const FIELDS: Readonly<Record<string, Field>> = {
	destination_name: { member: "name", type: STRING },
	destination_xml: { member: "xml", type: STRING },
	persistent_xml: { member: "persistentXml", type: STRING },
	migrate_uri: { member: "uri", type: STRING },
	listen_address: { member: "listenAddress", type: STRING },
	graphics_uri: { member: "graphicsUri", type: STRING },
	bandwidth: { member: "bandwidth", type: ULLONG },
	"bandwidth.postcopy": { member: "postcopyBandwidth", type: ULLONG },
	migrate_disks: { member: "disks", type: STRING, many: true },
	disks_uri: { member: "disksUri", type: STRING },
	disks_port: { member: "disksPort", type: INT },
	compression: { member: "compression", type: STRING, many: true },
	"compression.mt.level": { member: "compressLevel", type: INT },
	"compression.mt.threads": { member: "compressThreads", type: INT },
	"compression.mt.dthreads": { member: "decompressThreads", type: INT },
	"compression.zlib.level": { member: "zlibLevel", type: INT },
	"compression.zstd.level": { member: "zstdLevel", type: INT },
	"compression.xbzrle.cache": { member: "xbzrleCacheSize", type: ULLONG },
	"auto_converge.initial": { member: "throttleInitial", type: INT },
	"auto_converge.increment": { member: "throttleIncrement", type: INT },
	"tls.destination": { member: "tlsDestination", type: STRING },
	"parallel.connections": { member: "parallelConnections", type: INT },
};

/** Reads the parameters. Throws ARGUMENT_UNSUPPORTED for one that is not known, INVALID_ARG for one of a wrong type or told twice. */
export function parseMigrationParameters(params: readonly TypedParam[]): MigrationParameters {
	const found: Record<string, unknown> = {};
	for (const { field, value } of params) {
		const row = Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined;
		if (row === undefined) throw new VirtError("ARGUMENT_UNSUPPORTED", `parameter '${field}' not supported`);
		const { member, type, many } = row;
		const known = found[member];
		if (value.type !== type) throw new VirtError("INVALID_ARG", `invalid type of parameter '${field}'`);
		if (known !== undefined && !many) throw new VirtError("INVALID_ARG", `parameter '${field}' occurs multiple times`);
		found[member] = many ? [...((known as unknown[] | undefined) ?? []), value.value] : value.value;
	}
	return found;
}
