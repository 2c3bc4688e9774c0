// Gives every masked type of a QMP schema a stable name: the path of its first use, breadth first from commands and events.

import type { SchemaEntity } from "./introspection.ts";

/**
 * QEMU's own names for types that we name in code, by the path of a use; every other type is called by its path.
 *
 * Introspection hides them; these are from QEMU's QMP reference.
 */
const KNOWN_NAMES: Readonly<Record<string, string>> = {
	BlockdevAddArg: "BlockdevOptions",
	ChardevAddArgBackend: "ChardevBackend",
	NetdevAddArg: "NetdevOptions",
	ObjectAddArg: "ObjectOptions",
	QueryBlockRet: "BlockInfo",
	QueryBlockJobsRet: "BlockJobInfo",
	QueryBlockstatsRet: "BlockStats",
	QueryCommandLineOptionsRet: "CommandLineOptionInfo",
	QueryCpuDefinitionsRet: "CpuDefinitionInfo",
	QueryCpuModelExpansionArgModel: "CpuModelInfo",
	QueryCpusFastRet: "CpuInfoFast",
	QueryHotpluggableCpusRet: "HotpluggableCPU",
	QueryJobsRet: "JobInfo",
	QueryMachinesRet: "MachineInfo",
	QueryMemoryDevicesRet: "MemoryDeviceInfo",
	QueryMigrateRet: "MigrationInfo",
	QueryMigrateRetStatus: "MigrationStatus",
	QueryNamedBlockNodesRet: "BlockDeviceInfo",
	QueryStatusRet: "StatusInfo",
	QueryStatusRetStatus: "RunState",
	QueryVersionRet: "VersionInfo",
	QueryVncRet: "VncInfo",
	QuerySpiceRet: "SpiceInfo",
	QomListRet: "ObjectPropertyInfo",
	QomListTypesRet: "ObjectTypeInfo",
	TransactionArgActions: "TransactionAction",
};

/** `blockdev-add` as `BlockdevAdd`, `BLOCK_JOB_READY` as `BlockJobReady`. */
export function pascalCase(word: string): string {
	const lower = /[a-z]/.test(word) ? word : word.toLowerCase();
	const joined = lower.replace(/(^|[^A-Za-z0-9]+)([A-Za-z0-9])/g, (_, __, letter: string) => letter.toUpperCase());
	return joined.replace(/[^A-Za-z0-9]/g, "");
}

/** A use of a type: the type, and the name it gets when nothing named it before. */
type Use = readonly [type: string, path: string];

/** The entities in the order in which they are walked: commands, then events, each by name. */
export function rootsOf(schema: readonly SchemaEntity[]) {
	const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
	return {
		commands: schema.filter((entity) => entity["meta-type"] === "command").sort(byName),
		events: schema.filter((entity) => entity["meta-type"] === "event").sort(byName),
	};
}

/** Names for all object, enum and alternate types in use, by masked name, in order of first use. */
export function nameTypes(schema: readonly SchemaEntity[]): Map<string, string> {
	const entities = new Map(schema.map((entity) => [entity.name, entity]));
	const { commands, events } = rootsOf(schema);
	const queue: Use[] = commands.flatMap((command): Use[] => [
		[command["arg-type"], `${pascalCase(command.name)}Arg`],
		[command["ret-type"], `${pascalCase(command.name)}Ret`],
	]);
	queue.push(...events.map((event): Use => [event["arg-type"], `${pascalCase(event.name)}Event`]));
	const names = new Map<string, string>();
	const taken = new Set<string>();
	for (const [type, path] of queue) {
		const entity = elementOf(type, path, entities);
		if (names.has(entity.name) || !NAMED.has(entity["meta-type"])) continue;
		const name = uniqueName(KNOWN_NAMES[path] ?? path, taken);
		names.set(entity.name, name);
		queue.push(...usesOf(entity, name));
	}
	return names;
}

const NAMED: ReadonlySet<string> = new Set(["object", "enum", "alternate"]);

/** The type itself, or what it is an array of. */
function elementOf(type: string, path: string, entities: ReadonlyMap<string, SchemaEntity>): SchemaEntity {
	const entity = entities.get(type);
	if (entity === undefined) throw new Error(`schema names type '${type}' at ${path} but does not define it`);
	return entity["meta-type"] === "array" ? elementOf(entity["element-type"], path, entities) : entity;
}

function uniqueName(wanted: string, taken: Set<string>): string {
	let name = wanted;
	for (let number = 2; taken.has(name); number++) name = `${wanted}${number}`;
	taken.add(name);
	return name;
}

function usesOf(entity: SchemaEntity, name: string): Use[] {
	switch (entity["meta-type"]) {
		case "alternate":
			return entity.members.map(({ type }): Use => [type, `${name}Choice`]);
		case "object":
			return [
				...entity.members.map((member): Use => [member.type, name + pascalCase(member.name)]),
				...(entity.variants ?? []).map((variant): Use => [variant.type, name + pascalCase(variant.case)]),
			];
		default:
			return [];
	}
}
