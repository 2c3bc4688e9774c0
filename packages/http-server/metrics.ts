// The page of metrics, as pieces of text: gathered a few domains at a time and between other work, whatever their number.

import { setImmediate as turn } from "node:timers/promises";
import type { CallContext, DomainHandle } from "@virtkit/core/domain-operations";
import type { Hypervisor } from "@virtkit/core/hypervisor";
import { invoke } from "@virtkit/core/invoke";
import type { TypedParam } from "@virtkit/core/typed-params";
import { DAEMON_METRICS, type DaemonFigures, type EventLoopDelay } from "./daemon-metrics.ts";
import { DOMAIN_METRICS } from "./domain-metrics.ts";
import { addSamples, emptyLines, type Lines } from "./domain-samples.ts";
import { formatHead, formatLabels, formatSample, type MetricHead } from "./exposition.ts";

/** virConnectGetAllDomainStatsFlags: a guest that is busy is not waited for; what needs no monitor is told all the same. */
const NO_WAIT = 1 << 29;
/** Domains asked at once. */
const AT_ONCE = 16;
/** How long the daemon's other work may wait for this, in milliseconds. */
const SLICE_MS = 5;
/** How long a guest's answer may take before it is left out, in milliseconds. */
const ANSWER_DEADLINE_MS = 5000;
/** A piece's size in characters, about. */
const PIECE_CHARACTERS = 64 * 1024;

export const SCRAPE_METRICS: readonly MetricHead[] = [
	{
		name: "virtkit_scrape_missing_domains",
		type: "gauge",
		labels: [],
		help: "Domains whose statistics could not be had for this page.",
	},
	{
		name: "virtkit_scrape_seconds",
		type: "gauge",
		labels: [],
		help: "How long gathering the domains' statistics took.",
	},
];

export interface MetricsSources {
	readonly hypervisor: Hypervisor;
	readonly figures: DaemonFigures;
	readonly delay: EventLoopDelay;
}

/**
 * The page. Nothing is gathered before the first piece is asked for, and nothing more once the reader leaves; a reader that is
 * slow keeps what was gathered in memory, not the daemon busy.
 */
export async function* metricsPage(sources: MetricsSources, context: CallContext): AsyncGenerator<string> {
	yield daemonText(sources);
	const began = performance.now();
	const { lines, missing } = await gather(sources.hypervisor, context);
	const [missingHead, secondsHead] = SCRAPE_METRICS as [MetricHead, MetricHead];
	const took = ((performance.now() - began) / 1000).toFixed(6);
	yield `${formatHead(missingHead)}${formatSample(missingHead.name, "", String(missing))}${formatHead(secondsHead)}${formatSample(secondsHead.name, "", took)}`;
	yield* pieces(lines);
}

function daemonText({ figures, delay }: MetricsSources): string {
	let text = "";
	for (const metric of DAEMON_METRICS) {
		const samples = metric.samples(figures, delay);
		if (samples.length > 0) text += formatHead(metric);
		for (const { labels, value, suffix = "" } of samples)
			text += formatSample(`${metric.name}${suffix}`, formatLabels(labels), value);
	}
	return text;
}

/** Lets the event loop turn whenever a slice of time is used up by all who share it. */
class Slices {
	#end = performance.now() + SLICE_MS;
	#turning: Promise<void> | undefined;

	next(): Promise<void> | undefined {
		if (this.#turning === undefined && performance.now() >= this.#end) this.#turning = this.#turn();
		return this.#turning;
	}

	async #turn(): Promise<void> {
		await turn();
		this.#end = performance.now() + SLICE_MS;
		this.#turning = undefined;
	}
}

interface Gathered {
	readonly lines: Lines;
	readonly missing: number;
}

/** Statistics of all domains, written at once, so that what they were made of is not kept. */
async function gather(hypervisor: Hypervisor, context: CallContext): Promise<Gathered> {
	const lines = emptyLines();
	const waiting = [...hypervisor.domains.all()].sort((one, other) => (one.name < other.name ? -1 : 1)).values();
	let missing = 0;
	const slices = new Slices();
	const work = async (): Promise<void> => {
		for (const domain of waiting) {
			if (context.signal.aborted) return;
			const params = await statistics(hypervisor, domain, context);
			if (params === undefined) missing++;
			else addSamples(lines, domain, params);
			await slices.next();
		}
	};
	await Promise.all(Array.from({ length: AT_ONCE }, work));
	return { lines, missing };
}

/** Undefined for a domain that is gone, cannot tell, or does not answer in time. */
async function statistics(
	hypervisor: Hypervisor,
	domain: DomainHandle,
	context: CallContext,
): Promise<readonly TypedParam[] | undefined> {
	try {
		const answer = invoke(hypervisor, "stats", domain, NO_WAIT, context, 0);
		return answer instanceof Promise ? await withDeadline(answer) : answer;
	} catch {
		return undefined;
	}
}

function withDeadline<T>(answer: Promise<T>): Promise<T | undefined> {
	const { promise, resolve } = Promise.withResolvers<undefined>();
	const timer = setTimeout(() => resolve(undefined), ANSWER_DEADLINE_MS);
	return Promise.race([answer, promise]).finally(() => clearTimeout(timer));
}

/** A metric's samples stand together below its head; metrics without any are left out. */
function* pieces(lines: Lines): Generator<string> {
	let piece = "";
	for (const [index, metric] of DOMAIN_METRICS.entries()) {
		const own = lines[index] ?? [];
		if (own.length > 0) piece += formatHead(metric);
		for (const line of own) {
			piece += line;
			if (piece.length < PIECE_CHARACTERS) continue;
			yield piece;
			piece = "";
		}
		lines[index] = [];
	}
	if (piece !== "") yield piece;
}
