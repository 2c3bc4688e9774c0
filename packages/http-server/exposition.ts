// Prometheus's text format, version 0.0.4: how families of samples are written. https://prometheus.io/docs/instrumenting/exposition_formats/

/** Content-Type of the format. */
export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export type MetricType = "counter" | "gauge" | "summary";

/** What is said of a metric once, whatever its samples are. */
export interface MetricHead {
	readonly name: string;
	readonly type: MetricType;
	/** One sentence; its unit is in the name. */
	readonly help: string;
	/** Names of its labels, for the documentation. */
	readonly labels: readonly string[];
}

export type Labels = readonly (readonly [name: string, value: string])[];

/** A label's value: backslash, quote and line feed are the three characters that are escaped. */
const escapeLabel = (value: string): string =>
	value.replace(/[\\"\n]/g, (found) => (found === "\n" ? "\\n" : `\\${found}`));

/** A help text: backslash and line feed are escaped, quotes are not. */
const escapeHelp = (text: string): string => text.replace(/[\\\n]/g, (found) => (found === "\n" ? "\\n" : "\\\\"));

/** `{domain="web",vcpu="0"}`; nothing where there are no labels. */
export function formatLabels(labels: Labels): string {
	if (labels.length === 0) return "";
	return `{${labels.map(([name, value]) => `${name}="${escapeLabel(value)}"`).join(",")}}`;
}

/** The two lines above a metric's samples. */
export const formatHead = ({ name, type, help }: MetricHead): string =>
	`# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;

/** A sample's line. `labels` is as formatLabels writes it, since many samples share theirs. */
export const formatSample = (name: string, labels: string, value: string): string => `${name}${labels} ${value}\n`;

/** A number as the format spells it (Go's ParseFloat). */
export function formatNumber(value: number): string {
	if (Number.isNaN(value)) return "NaN";
	if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
	return String(value);
}

/** Billionths as a decimal, exactly: nanoseconds become seconds without a float's rounding. */
export function formatBillionths(value: bigint): string {
	const sign = value < 0n ? "-" : "";
	const digits = (value < 0n ? -value : value).toString().padStart(10, "0");
	const fraction = digits.slice(-9).replace(/0+$/, "");
	return `${sign}${digits.slice(0, -9)}${fraction === "" ? "" : `.${fraction}`}`;
}
