// The metrics of the daemon itself: its process, its clients and their calls, how promptly it gets to its work.

import { monitorEventLoopDelay } from "node:perf_hooks";
import { formatNumber, type Labels, type MetricHead, type MetricType } from "./exposition.ts";

/** A sample before it is written; `suffix` is for the parts of a summary. */
export interface Sample {
	readonly labels: Labels;
	readonly value: string;
	readonly suffix?: "_sum" | "_count";
}

/** How often a procedure was called, and how often it was answered with an error. */
export interface CallCount {
	readonly program: string;
	readonly procedure: string;
	readonly calls: number;
	readonly errors: number;
}

/** What whoever runs the servers tells of them and of the process. */
export interface DaemonFigures {
	readonly version: string;
	/** Clients connected now, by the kind of their socket. */
	clients(): ReadonlyMap<string, number>;
	calls(): readonly CallCount[];
	/** Domains by state. */
	domains(): ReadonlyMap<string, number>;
	process(): ProcessFigures;
}

export interface ProcessFigures {
	readonly openDescriptors: number | undefined;
	readonly maxDescriptors: number | undefined;
	/** Bytes. */
	readonly virtualMemory: number | undefined;
	/** Seconds since the epoch. */
	readonly startTime: number;
}

/** A metric and where its samples come from. */
export interface DaemonMetric extends MetricHead {
	readonly samples: (figures: DaemonFigures, delay: EventLoopDelay) => readonly Sample[];
}

function row(
	name: string,
	type: MetricType,
	help: string,
	labels: readonly string[],
	samples: DaemonMetric["samples"],
): DaemonMetric {
	return { name, type, help, labels, samples };
}

const plain = (value: number | undefined): Sample[] =>
	value === undefined ? [] : [{ labels: [], value: formatNumber(value) }];

const counted = (label: string, counts: ReadonlyMap<string, number>): Sample[] =>
	[...counts].map(([value, count]) => ({ labels: [[label, value]], value: String(count) }));

const MICROSECONDS = 1e6;
const cpuSeconds = (): number => {
	const { user, system } = process.cpuUsage();
	return (user + system) / MICROSECONDS;
};

const byProcedure = (figures: DaemonFigures, key: "calls" | "errors"): Sample[] =>
	figures.calls().map((one) => ({
		labels: [
			["program", one.program],
			["procedure", one.procedure],
		],
		value: String(one[key]),
	}));

/** In the order they are written. Names of the process's own metrics are those that all of Prometheus's clients use. */
export const DAEMON_METRICS: readonly DaemonMetric[] = [
	row("virtkit_build_info", "gauge", "1, with the daemon's version and Node's.", ["version", "node"], ({ version }) => [
		{
			labels: [
				["version", version],
				["node", process.versions.node],
			],
			value: "1",
		},
	]),
	row("virtkit_domains", "gauge", "Domains by state.", ["state"], (figures) => counted("state", figures.domains())),
	row(
		"virtkit_daemon_clients",
		"gauge",
		"Clients of libvirt's protocol that are connected, by the kind of their socket.",
		["transport"],
		(figures) => counted("transport", figures.clients()),
	),
	row("virtkit_daemon_calls_total", "counter", "Calls answered, by procedure.", ["program", "procedure"], (figures) =>
		byProcedure(figures, "calls"),
	),
	row(
		"virtkit_daemon_call_errors_total",
		"counter",
		"Calls answered with an error.",
		["program", "procedure"],
		(figures) => byProcedure(figures, "errors"),
	),
	row(
		"virtkit_daemon_event_loop_delay_seconds",
		"summary",
		"How late the daemon gets to what is due; quantiles are of the last minute.",
		["quantile"],
		(_, delay) => delay.samples(),
	),
	row("process_cpu_seconds_total", "counter", "CPU time of the daemon.", [], () => plain(cpuSeconds())),
	row("process_resident_memory_bytes", "gauge", "Memory of the daemon that is resident.", [], () =>
		plain(process.memoryUsage.rss()),
	),
	row("process_virtual_memory_bytes", "gauge", "Virtual memory of the daemon.", [], (figures) =>
		plain(figures.process().virtualMemory),
	),
	row("process_open_fds", "gauge", "Descriptors that the daemon has open.", [], (figures) =>
		plain(figures.process().openDescriptors),
	),
	row("process_max_fds", "gauge", "Descriptors that it may have open.", [], (figures) =>
		plain(figures.process().maxDescriptors),
	),
	row("process_start_time_seconds", "gauge", "When the daemon started, since the epoch.", [], (figures) =>
		plain(figures.process().startTime),
	),
];

const RESOLUTION_MS = 10;
const WINDOW_MS = 60_000;
const QUANTILES = [0.5, 0.9, 0.99] as const;
const SECOND_NS = 1e9;

/** Measures how late timers come; what is told beyond the timer's own period is the delay. */
export class EventLoopDelay implements Disposable {
	readonly #window = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
	readonly #timer: NodeJS.Timeout;
	#last: readonly number[] = [];
	#sum = 0;
	#count = 0;

	constructor() {
		this.#window.enable();
		this.#timer = setInterval(() => this.#turn(), WINDOW_MS).unref();
	}

	/** The window is over: its quantiles are told until the next one is. */
	#turn(): void {
		this.#last = this.#quantiles();
		this.#sum += this.#windowSum();
		this.#count += Number(this.#window.count);
		this.#window.reset();
	}

	#quantiles(): readonly number[] {
		return QUANTILES.map((quantile) => seconds(this.#window.percentile(quantile * 100)));
	}

	#windowSum(): number {
		const count = Number(this.#window.count);
		return count === 0 ? 0 : seconds(this.#window.mean) * count;
	}

	samples(): Sample[] {
		const quantiles = this.#last.length === 0 ? this.#quantiles() : this.#last;
		const count = Number(this.#window.count);
		return [
			...QUANTILES.map((quantile, index) => ({
				labels: [["quantile", String(quantile)]] as const,
				value: formatNumber(quantiles[index] ?? Number.NaN),
			})),
			{ suffix: "_sum", labels: [], value: formatNumber(this.#sum + this.#windowSum()) },
			{ suffix: "_count", labels: [], value: String(this.#count + count) },
		];
	}

	[Symbol.dispose](): void {
		clearInterval(this.#timer);
		this.#window.disable();
	}
}

const seconds = (ns: number): number => Math.max(0, ns / SECOND_NS - RESOLUTION_MS / 1000);
