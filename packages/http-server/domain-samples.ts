// Turns the statistics of one domain into samples of the metrics that the table declares for them.

import type { DomainRef } from "@virtkit/core/domain-ref";
import type { TypedParam, TypedValue } from "@virtkit/core/typed-params";
import { DEVICE_LABELS, DOMAIN_METRICS, type DomainMetric, type Unit } from "./domain-metrics.ts";
import { formatBillionths, formatLabels, formatNumber, formatSample, type Labels } from "./exposition.ts";

const byStatistic: ReadonlyMap<string, number> = new Map(
	DOMAIN_METRICS.map(({ statistic }, index) => [statistic, index]),
);

/** What the numbers of a unit are multiplied by; nanoseconds are written as billionths instead. */
const FACTOR: Readonly<Record<Exclude<Unit, "ns to seconds">, bigint>> = {
	"as it is": 1n,
	"KiB to bytes": 1024n,
	"MiB to bytes": 1024n * 1024n,
};

/** A statistic's value in the metric's unit; undefined for a text, which is none. */
function formatValue({ value }: TypedValue, unit: Unit): string | undefined {
	if (typeof value === "string") return undefined;
	const number = typeof value === "boolean" ? BigInt(value) : value;
	if (typeof number === "number" && !Number.isInteger(number)) return formatNumber(number);
	return unit === "ns to seconds" ? formatBillionths(BigInt(number)) : (BigInt(number) * FACTOR[unit]).toString();
}

/** What a statistic's name says: its row in the table, the device it is of, and the name of one of KVM's counters. */
interface Place {
	readonly index: number;
	/** `block.0` */
	readonly device: string | undefined;
	readonly statistic: string | undefined;
}

/** KVM's counters: any name, after the device or the guest, with its kind last. */
const KVM = /^(vm|vcpu\.\d+)\.(.+)\.(sum|cur)$/;
const DEVICE = /^(vcpu|net|block|iothread)\.(\d+)\.(.+)$/;

function placeOf(field: string): Place | undefined {
	const [, device, number, rest] = DEVICE.exec(field) ?? [];
	const own = byStatistic.get(device === undefined ? field : `${device}.*.${rest}`);
	if (own !== undefined)
		return { index: own, device: device === undefined ? undefined : `${device}.${number}`, statistic: undefined };
	const [, prefix = "", statistic, kind] = KVM.exec(field) ?? [];
	const index = byStatistic.get(prefix === "vm" ? `vm.*.${kind}` : `vcpu.*.*.${kind}`);
	return index === undefined ? undefined : { index, device: prefix === "vm" ? undefined : prefix, statistic };
}

/** Statistics come under few names: each is looked at once. */
const PLACES = new Map<string, Place | undefined>();
/** Names in the memory at most; a guest of a thousand disks has more, which are looked at anew. */
const PLACES_MAX = 20_000;

function knownPlace(field: string): Place | undefined {
	if (PLACES.has(field)) return PLACES.get(field);
	const place = placeOf(field);
	if (PLACES.size < PLACES_MAX) PLACES.set(field, place);
	return place;
}

/** Lines by the metric's index in the table. */
export type Lines = string[][];

export const emptyLines = (): Lines => DOMAIN_METRICS.map(() => []);

/** Adds a line to `lines` for each statistic that the table has a metric for. */
export function addSamples(lines: Lines, { name, uuid }: DomainRef, params: readonly TypedParam[]): void {
	const own: Labels = [
		["domain", name],
		["uuid", uuid],
	];
	const plain = formatLabels(own);
	const devices = deviceLabels(own, params);
	for (const { field, value } of params) {
		const place = knownPlace(field);
		if (place === undefined) continue;
		const metric = DOMAIN_METRICS[place.index] as DomainMetric;
		const written = formatValue(value, metric.unit);
		if (written === undefined) continue;
		const labels = place.device === undefined ? own : (devices.get(place.device) ?? own);
		const text = place.statistic === undefined ? textOf(labels, own, plain) : withStatistic(labels, place.statistic);
		lines[place.index]?.push(formatSample(metric.name, text, written));
	}
}

/** Most statistics of a domain are its own, with the same labels. */
const textOf = (labels: Labels, own: Labels, plain: string): string => (labels === own ? plain : formatLabels(labels));
const withStatistic = (labels: Labels, statistic: string): string =>
	formatLabels([...labels, ["statistic", statistic]]);

/** The labels of each device that has statistics: by its name where it has one, else by its number. */
function deviceLabels(own: Labels, params: readonly TypedParam[]): Map<string, Labels> {
	const found = new Map<string, Labels>();
	for (const { field, value } of params) {
		const [, group = "", number = "", rest] = DEVICE.exec(field) ?? [];
		const row = DEVICE_LABELS[group];
		if (row === undefined || (row.named ? rest !== "name" : found.has(`${group}.${number}`))) continue;
		found.set(`${group}.${number}`, [...own, [row.label, row.named ? String(value.value) : number]]);
	}
	return found;
}
