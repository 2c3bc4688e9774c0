// How a migration is done: libvirt's flags and parameters as QEMU's migration capabilities and parameters, for as long as it lasts.

import { VirtError } from "@virtkit/base/errors";
import type { MigrateSetParametersArg, QueryMigrateCapabilitiesRetCapability } from "@virtkit/qapi/schema.gen";
import type { QmpClient } from "@virtkit/qmp/client";
import { bytesOf, NO_POSTCOPY_LIMIT } from "./limits.ts";
import { MIGRATE_FLAG, type MigrationParameters } from "./parameters.ts";

type Capability = QueryMigrateCapabilitiesRetCapability;
type Values = MigrateSetParametersArg;
type Side = "source" | "destination";

/** The source's daemon, not its QEMU, lets the guest go over. */
const SWITCHOVER: Capability = "pause-before-switchover";
/** The destination leaves the disks alone until the guest runs. */
const LATE_DISKS: Capability = "late-block-activate";

/** A guest that stays paused takes its disks when it arrives: by when it is resumed the source may have taken back the right to them. */
const unaskedFor = (side: Side, flags: number): readonly Capability[] =>
	side === "source" ? [SWITCHOVER] : flags & MIGRATE_FLAG.paused ? [] : [LATE_DISKS];

/** Capabilities by the flag that asks for them. */
const BY_FLAG: readonly { readonly flag: number; readonly capability: Capability; readonly sides: readonly Side[] }[] =
	[
		{ flag: MIGRATE_FLAG.rdmaPinAll, capability: "rdma-pin-all", sides: ["source", "destination"] },
		{ flag: MIGRATE_FLAG.autoConverge, capability: "auto-converge", sides: ["source"] },
		{ flag: MIGRATE_FLAG.postcopy, capability: "postcopy-ram", sides: ["source", "destination"] },
		{ flag: MIGRATE_FLAG.parallel, capability: "multifd", sides: ["source", "destination"] },
		{ flag: MIGRATE_FLAG.zerocopy, capability: "zero-copy-send", sides: ["source"] },
	];

/** Capabilities by the method of compression. */
const BY_METHOD: Readonly<Record<string, Capability>> = { xbzrle: "xbzrle", mt: "compress" };
/** Methods by which each of several connections compresses; libvirt has them since 9.1. */
const PARALLEL_METHODS = ["zlib", "zstd"] as const;

/** Parameters of QEMU's by ours. */
const VALUES: readonly {
	readonly from: keyof MigrationParameters;
	readonly to: keyof Values;
	readonly sides: readonly Side[];
}[] = [
	{ from: "throttleInitial", to: "cpu-throttle-initial", sides: ["source"] },
	{ from: "throttleIncrement", to: "cpu-throttle-increment", sides: ["source"] },
	{ from: "compressLevel", to: "compress-level", sides: ["source", "destination"] },
	{ from: "compressThreads", to: "compress-threads", sides: ["source", "destination"] },
	{ from: "decompressThreads", to: "decompress-threads", sides: ["source", "destination"] },
	{ from: "xbzrleCacheSize", to: "xbzrle-cache-size", sides: ["source", "destination"] },
	{ from: "zlibLevel", to: "multifd-zlib-level", sides: ["source", "destination"] },
	{ from: "zstdLevel", to: "multifd-zstd-level", sides: ["source", "destination"] },
	{ from: "parallelConnections", to: "multifd-channels", sides: ["source", "destination"] },
];

/** Capabilities that are switched off after every migration: saving a guest knows nothing of them. */
const MANAGED: readonly Capability[] = [
	SWITCHOVER,
	LATE_DISKS,
	...BY_FLAG.map(({ capability }) => capability),
	...Object.values(BY_METHOD),
	"return-path",
];

/** Parameters that are put back after every migration. */
const RESTORED: readonly (keyof Values)[] = [
	...VALUES.map(({ to }) => to),
	"max-bandwidth",
	"downtime-limit",
	"max-postcopy-bandwidth",
	"multifd-compression",
	"tls-creds",
	"tls-hostname",
];

/** Parameters that say nothing unless something else is asked for, and what libvirt says to that. */
const NEEDS: readonly {
	readonly members: readonly (keyof MigrationParameters)[];
	met(params: MigrationParameters, flags: number): boolean;
	readonly refusal: string;
}[] = [
	{
		members: ["throttleInitial", "throttleIncrement"],
		met: (_, flags) => (flags & MIGRATE_FLAG.autoConverge) !== 0,
		refusal: "Turn auto convergence on to tune it",
	},
	{
		members: ["parallelConnections"],
		met: (_, flags) => (flags & MIGRATE_FLAG.parallel) !== 0,
		refusal: "Turn parallel migration on to tune it",
	},
	{
		members: ["compressLevel", "compressThreads", "decompressThreads"],
		met: ({ compression = [] }) => compression.includes("mt"),
		refusal: "Turn multithread compression on to tune it",
	},
	{
		members: ["xbzrleCacheSize"],
		met: ({ compression = [] }) => compression.includes("xbzrle"),
		refusal: "Turn xbzrle compression on to tune it",
	},
	{
		members: ["zlibLevel"],
		met: ({ compression = [] }) => compression.includes("zlib"),
		refusal: "Turn zlib compression on to tune it",
	},
	{
		members: ["zstdLevel"],
		met: ({ compression = [] }) => compression.includes("zstd"),
		refusal: "Turn zstd compression on to tune it",
	},
];

/** What QEMU is told for one migration. */
export interface Tuning {
	readonly capabilities: readonly Capability[];
	readonly values: Values;
}

function checkMethods(methods: readonly string[], flags: number): void {
	const parallel = PARALLEL_METHODS.filter((method) => methods.includes(method));
	for (const [index, method] of methods.entries()) {
		if (!Object.hasOwn(BY_METHOD, method) && !parallel.some((one) => one === method))
			throw new VirtError("INVALID_ARG", `Unsupported compression method '${method}'`);
		if (methods.indexOf(method) !== index)
			throw new VirtError("INVALID_ARG", `Compression method '${method}' is specified twice`);
	}
	if (parallel[0] && !(flags & MIGRATE_FLAG.parallel))
		throw new VirtError("INVALID_ARG", `Compression method '${parallel[0]}' is only supported with parallel migration`);
	if (parallel.length > 1)
		throw new VirtError("INVALID_ARG", "Only one compression method could be specified with parallel compression");
}

/** The methods by which memory is compressed. */
function methodsOf({ compression = [] }: MigrationParameters, flags: number): readonly string[] {
	checkMethods(compression, flags);
	return compression.length === 0 && flags & MIGRATE_FLAG.compressed ? ["xbzrle"] : compression;
}

/** What one side's QEMU is to be told. Throws INVALID_ARG for parameters that do not go with the flags. */
export function tuningFor(side: Side, params: MigrationParameters, flags: number): Tuning {
	const methods = methodsOf(params, flags);
	// A destination is told what concerns the source, without the flags.
	const mine = VALUES.filter(({ from, sides }) => sides.includes(side) && params[from] !== undefined);
	for (const { members, met, refusal } of NEEDS)
		if (mine.some(({ from }) => members.includes(from)) && !met(params, flags))
			throw new VirtError("INVALID_ARG", refusal);
	const asked = BY_FLAG.filter(({ flag, sides }) => flags & flag && sides.includes(side));
	const told = mine.map(({ from, to }) => [to, Number(params[from])] as const);
	const compressed = methods.flatMap((method) => BY_METHOD[method] ?? []);
	const parallel = PARALLEL_METHODS.find((method) => methods.includes(method));
	const postcopySpeed =
		params.postcopyBandwidth === undefined || side === "destination"
			? {}
			: { "max-postcopy-bandwidth": bytesOf(params.postcopyBandwidth, NO_POSTCOPY_LIMIT) };
	return {
		capabilities: [...unaskedFor(side, flags), ...asked.map(({ capability }) => capability), ...compressed],
		values: { ...Object.fromEntries(told), ...(parallel ? { "multifd-compression": parallel } : {}), ...postcopySpeed },
	};
}

/**
 * Tells QEMU; what is answered puts everything back as it was before.
 * Throws ARGUMENT_UNSUPPORTED for what this QEMU cannot do.
 */
export async function tune(monitor: QmpClient, { capabilities, values }: Tuning): Promise<AsyncDisposable> {
	const [known, before] = await Promise.all([
		monitor.execute("query-migrate-capabilities"),
		monitor.execute("query-migrate-parameters"),
	]);
	const has = new Set(known.map(({ capability }) => capability));
	const missing = capabilities.find((capability) => !has.has(capability));
	if (missing !== undefined)
		throw new VirtError("ARGUMENT_UNSUPPORTED", `Migration option '${missing}' is not supported by QEMU binary`);
	const managed = MANAGED.filter((capability) => has.has(capability));
	const set = (wanted: readonly Capability[]) =>
		monitor.execute("migrate-set-capabilities", {
			capabilities: [
				{ capability: "events", state: true },
				...managed.map((capability) => ({ capability, state: wanted.includes(capability) })),
			],
		});
	const restored: Values = Object.fromEntries(
		RESTORED.flatMap((name) => (before[name] === undefined ? [] : [[name, before[name]]])),
	);
	const undo = {
		async [Symbol.asyncDispose]() {
			if (monitor.loss) return;
			await Promise.allSettled([set([]), monitor.execute("migrate-set-parameters", restored)]);
		},
	};
	try {
		await set(capabilities);
		if (Object.keys(values).length > 0) await monitor.execute("migrate-set-parameters", values);
		return undo;
	} catch (error) {
		await undo[Symbol.asyncDispose]();
		throw error;
	}
}

/** Throws OPERATION_INVALID or ARGUMENT_UNSUPPORTED for flags that do not go together. */
export function checkTuning(flags: number): void {
	if (flags & MIGRATE_FLAG.postcopy && (!(flags & MIGRATE_FLAG.live) || flags & MIGRATE_FLAG.paused))
		throw new VirtError(
			"ARGUMENT_UNSUPPORTED",
			"post-copy migration is not supported with non-live or paused migration",
		);
	if (flags & MIGRATE_FLAG.postcopy && flags & MIGRATE_FLAG.tunnelled)
		throw new VirtError("ARGUMENT_UNSUPPORTED", "post-copy is not supported with tunnelled migration");
	if (flags & MIGRATE_FLAG.zerocopy && !(flags & MIGRATE_FLAG.parallel))
		throw new VirtError("OPERATION_INVALID", "zero-copy is only available for parallel migration");
}
