// What a migration is asked for: libvirt's flags and typed parameters (virDomainMigrateFlags, VIR_MIGRATE_PARAM_*).

import { VirtError } from "@virtkit/base/errors";
import type { TypedParam } from "@virtkit/core/typed-params";

/** virDomainMigrateFlags that are carried out. */
export const MIGRATE_FLAG = {
	live: 1,
	peerToPeer: 2,
	persistent: 8,
	undefineSource: 16,
	paused: 32,
	changeProtection: 256,
	unsafe: 512,
	offline: 1024,
	abortOnError: 4096,
} as const;

export interface MigrationParameters {
	readonly name?: string;
	readonly xml?: string;
	/** The definition that the destination stores. */
	readonly persistentXml?: string;
	readonly uri?: string;
	readonly listenAddress?: string;
	/** MiB a second; 0 without limit. */
	readonly bandwidth?: bigint;
}

const STRING = 7;
const ULLONG = 4;

/** Parameters by libvirt's names: the member that each becomes and its type. */
const FIELDS: Readonly<Record<string, readonly [member: keyof MigrationParameters, type: number]>> = {
	destination_name: ["name", STRING],
	destination_xml: ["xml", STRING],
	persistent_xml: ["persistentXml", STRING],
	migrate_uri: ["uri", STRING],
	listen_address: ["listenAddress", STRING],
	bandwidth: ["bandwidth", ULLONG],
};

/** Reads the parameters. Throws ARGUMENT_UNSUPPORTED for one that is not known, INVALID_ARG for one of a wrong type or told twice. */
export function parseMigrationParameters(params: readonly TypedParam[]): MigrationParameters {
	const found: Record<string, unknown> = {};
	for (const { field, value } of params) {
		const row = Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined;
		if (row === undefined) throw new VirtError("ARGUMENT_UNSUPPORTED", `parameter '${field}' not supported`);
		const [member, type] = row;
		if (value.type !== type) throw new VirtError("INVALID_ARG", `invalid type of parameter '${field}'`);
		if (found[member] !== undefined) throw new VirtError("INVALID_ARG", `parameter '${field}' occurs multiple times`);
		found[member] = value.value;
	}
	return found;
}
