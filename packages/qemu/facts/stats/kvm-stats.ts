// The counters that KVM keeps of a guest and of its vCPUs, asked through QEMU (query-stats, QEMU 7.1).

import { param, type TypedParam } from "@virtkit/core/typed-params";
import type { QmpCommands } from "@virtkit/qapi/schema.gen";
import type { Run } from "../../domain/run.ts";
import { unlessGone } from "./stats-group.ts";

type Target = "vm" | "vcpu";
type Schemas = QmpCommands["query-stats-schemas"]["ret"];
type Answers = QmpCommands["query-stats"]["ret"];

/** How libvirt ends the names of statistics of each type; histograms are not told. */
const SUFFIXES: Readonly<Record<string, string>> = { cumulative: "sum", instant: "cur", peak: "max" };

/** What QEMU can tell never changes while it runs. */
const SCHEMAS = new WeakMap<Run, Promise<Schemas>>();

/** Counters with what they are. */
export interface KvmFigures {
	/** Type, and whether it is yes or no, by name. */
	readonly suffixes: ReadonlyMap<string, string>;
	readonly answers: Answers;
}

/** Whether the emulator answers such questions at all. */
export const answersStats = (run: Run): boolean => run.caps.hasSchema("query-stats");

/** The counters of a target; undefined where QEMU has none. */
export async function askKvm(run: Run, target: Target): Promise<KvmFigures | undefined> {
	if (!answersStats(run)) return undefined;
	const asked = async (): Promise<KvmFigures> => {
		const [schemas, answers] = await Promise.all([schemasOf(run), run.monitor.execute("query-stats", { target })]);
		const suffixes = new Map<string, string>();
		for (const schema of schemas)
			for (const { name, type } of schema.target === target ? schema.stats : []) {
				const suffix = SUFFIXES[type];
				if (suffix !== undefined) suffixes.set(name, suffix);
			}
		return { suffixes, answers };
	};
	return await unlessGone<KvmFigures | undefined>(asked, undefined);
}

function schemasOf(run: Run): Promise<Schemas> {
	let schemas = SCHEMAS.get(run);
	if (!schemas) SCHEMAS.set(run, (schemas = run.monitor.execute("query-stats-schemas")));
	return schemas;
}

/** Counters of vCPU `number`, or of the guest where none is named, as statistics below `prefix`. */
export function kvmParameters(
	{ suffixes, answers }: KvmFigures,
	number: number | undefined,
	prefix: string,
): TypedParam[] {
	const answer = number === undefined ? answers[0] : answers[number];
	return (answer?.stats ?? []).flatMap(({ name, value }) => {
		const suffix = suffixes.get(name);
		if (suffix === undefined) return [];
		const field = `${prefix}.${name}.${suffix}`;
		if (typeof value === "boolean") return [param.boolean(field, value)];
		return typeof value === "number" ? [param.ullong(field, BigInt(value))] : [];
	});
}

/** Nanoseconds that vCPUs spent waiting for work without giving up their CPU, and whether work came. */
export async function haltPolling(
	run: Run,
	asked: Run | undefined,
): Promise<{ success: bigint; fail: bigint } | undefined> {
	if (asked === undefined || !answersStats(run)) return undefined;
	const answers = await unlessGone<Answers>(() => asked.monitor.execute("query-stats", { target: "vcpu" }), []);
	const sum = (wanted: string): bigint =>
		answers
			.flatMap(({ stats }) => stats)
			.filter(({ name, value }) => name === wanted && typeof value === "number")
			.reduce((total, { value }) => total + BigInt(value as number), 0n);
	return { success: sum("halt_poll_success_ns"), fail: sum("halt_poll_fail_ns") };
}
