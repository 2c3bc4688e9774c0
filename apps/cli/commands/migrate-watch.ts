// Watches a migration: shows how far it is and when it should end, and stops it when asked to.

import type { Domain } from "@virtkit/client/sdk/domain";
import type { Parameters } from "@virtkit/client/sdk/parameters";
import type { CliContext } from "../context.ts";
import { formatSize } from "../output/size.ts";
import { showProgress } from "./block-wait.ts";

const LOOK_MS = 500;

export interface Watch {
	/** The share that is done, as virsh shows it. */
	readonly percent: boolean;
	/** A line with what is left, how fast it goes, and the downtime to expect. */
	readonly details: boolean;
	/** Seconds, and what is done then. */
	readonly timeout: number;
	onTimeout(): Promise<unknown>;
}

/** Runs `job` to its end and shows how far it is; an interrupt aborts it. */
export async function watchMigration(
	context: CliContext,
	domain: Domain,
	watch: Watch,
	job: Promise<void>,
): Promise<void> {
	const done = job.then(
		() => true,
		() => true,
	);
	const interrupt = (): void => void domain.abortJob().catch(() => undefined);
	process.on("SIGINT", interrupt);
	const timer =
		watch.timeout > 0
			? setTimeout(() => void watch.onTimeout().catch(() => undefined), watch.timeout * 1000)
			: undefined;
	let shown = false;
	try {
		for (;;) {
			const pause = new Promise<false>((resolve) => setTimeout(() => resolve(false), LOOK_MS).unref());
			if (await Promise.race([done, pause])) break;
			shown = (await look(context, domain, watch)) || shown;
		}
	} finally {
		clearTimeout(timer);
		process.off("SIGINT", interrupt);
		// The line that was written over and over is left as it was last.
		if (shown && watch.details) context.terminal.err("\n");
	}
	await job;
	if (watch.percent) showProgress(context, "Migration", 0n, 1n);
}

const amount = (parameters: Parameters, field: string): bigint => BigInt(Number(parameters[field] ?? 0));

/** Shows the state of the job; false where there is none yet, or nothing is to be shown. */
async function look(context: CliContext, domain: Domain, { percent, details }: Watch): Promise<boolean> {
	if (!percent && !details) return false;
	const stats = await domain.jobStats().catch(() => undefined);
	if (!stats || stats.type === 0) return false;
	const { parameters } = stats;
	if (details) context.terminal.err(`\r\x1b[K${progressLine(parameters)}`);
	else showProgress(context, "Migration", amount(parameters, "data_remaining"), amount(parameters, "data_total"));
	return true;
}

/** `12 %, 1.500 GiB left, 110.000 MiB/s, the guest writes 20.000 MiB/s, about 17 s to go, downtime 30 ms`. */
export function progressLine(parameters: Parameters): string {
	const [left, total] = [amount(parameters, "data_remaining"), amount(parameters, "data_total")];
	const speed = amount(parameters, "memory_bps") + amount(parameters, "disk_bps");
	const written = amount(parameters, "memory_dirty_rate") * amount(parameters, "memory_page_size");
	const gain = Number(speed - written);
	const share = total === 0n ? 0 : Number(((total - left) * 100n) / total);
	const seconds = Math.ceil(Number(left) / gain);
	const parts = [
		`Migration: ${share} %`,
		`${formatSize(left)} left`,
		...(speed > 0n ? [`${formatSize(speed)}/s`] : []),
		...(parameters.memory_dirty_rate === undefined ? [] : [`the guest writes ${formatSize(written)}/s`]),
		...(speed > 0n ? [gain > 0 ? `about ${seconds} s to go` : "no end in sight: it writes faster than is sent"] : []),
		...(parameters.downtime === undefined ? [] : [`downtime ${parameters.downtime} ms`]),
	];
	return parts.join(", ");
}
