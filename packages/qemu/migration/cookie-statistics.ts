// Statistics of a migration in its cookies: the figures of the source's job under libvirt's names, and when what happened.

import { param, type TypedParam } from "@virtkit/core/typed-params";
import { elementsOf, textOf, type XmlElement, xmlElement } from "@virtkit/xml/node";
import { JOB_OPERATION } from "../save/domain-job.ts";

/** Moments of the source's clock, in milliseconds since 1970; libvirt counts with them where both clocks agree. */
const MOMENTS: ReadonlySet<string> = new Set(["started", "stopped", "sent", "delta"]);
/** Parameters that are no 64-bit numbers. */
const INTS: ReadonlySet<string> = new Set(["auto_converge_throttle"]);
/** Parameters that are sums of others. */
const SUMS = ["total", "processed", "remaining"] as const;

const figureOf = (params: readonly TypedParam[], field: string): bigint => {
	const value = params.find((one) => one.field === field)?.value;
	return value?.type === 4 ? value.value : 0n;
};

/** `<statistics>` of the job that has just been completed. */
export function statisticsElement(params: readonly TypedParam[], now = Date.now()): XmlElement {
	const text = (name: string, value: bigint) => xmlElement(name, {}, [String(value)]);
	const sent = BigInt(now);
	return xmlElement("statistics", {}, [
		text("started", sent - figureOf(params, "time_elapsed")),
		text("stopped", sent - figureOf(params, "downtime")),
		text("sent", sent),
		...params.flatMap(({ field, value }) =>
			value.type === 4 && !field.startsWith("data_") ? [text(field, value.value)] : [],
		),
	]);
}

/** The statistics of the same job as the destination tells them. */
export function arrivedParams(statistics: XmlElement): TypedParam[] {
	const figures = elementsOf(statistics)
		.filter(({ name }) => !MOMENTS.has(name))
		.flatMap((element): TypedParam[] => {
			const value = textOf(element);
			if (!/^\d{1,20}$/.test(value)) return [];
			if (INTS.has(element.name)) return [param.int(element.name, Number(value))];
			return [param.ullong(element.name, BigInt(value))];
		});
	const sums = SUMS.map((what) => {
		const sum = figureOf(figures, `memory_${what}`) + figureOf(figures, `disk_${what}`);
		return param.ullong(`data_${what}`, sum);
	});
	const times = figures.filter(({ field }) => !field.includes("memory") && !field.includes("disk"));
	const rest = figures.filter((figure) => !times.includes(figure));
	return [param.int("operation", JOB_OPERATION["migration-in"]), ...times, ...sums, ...rest];
}
