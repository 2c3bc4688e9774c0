// A strict reader of Prometheus's text format: throws at whatever the format's description or naming conventions forbid.

import assert from "node:assert/strict";

/** One sample as it was read. */
export interface ReadSample {
	readonly name: string;
	readonly labels: Readonly<Record<string, string>>;
	readonly value: number;
}

/** A metric with its samples. */
export interface ReadFamily {
	readonly name: string;
	readonly type: string;
	readonly help: string;
	readonly samples: ReadSample[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/y;
const SAMPLE = /^([^ {]+)(?:\{(.*)\})? (\S+)$/;
const VALUE = /^(?:[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?|NaN|[+-]Inf)$/i;
const SUFFIXES: Readonly<Record<string, readonly string[]>> = { summary: ["", "_sum", "_count"] };

/** Reads a whole page. */
export function readExposition(text: string): Map<string, ReadFamily> {
	const families = new Map<string, ReadFamily>();
	const series = new Set<string>();
	let family: ReadFamily | undefined;
	assert.ok(text === "" || text.endsWith("\n"), "the last line ends with a line feed");
	const lines = text.split("\n").slice(0, -1);
	for (const [index, line] of lines.entries()) {
		const where = `line ${index + 1}: ${line}`;
		const help = /^# HELP (\S+) (.*)$/.exec(line);
		if (help) {
			const type = /^# TYPE (\S+) (counter|gauge|summary|histogram|untyped)$/.exec(lines[index + 1] ?? "");
			assert.ok(type && type[1] === help[1], `${where}: its TYPE follows`);
			family = { name: help[1] as string, type: type[2] as string, help: help[2] as string, samples: [] };
			assert.match(family.name, NAME);
			assert.ok(!families.has(family.name), `${where}: a family stands in one place`);
			assert.equal(family.type === "counter", family.name.endsWith("_total"), `${where}: counters end with _total`);
			families.set(family.name, family);
		} else if (!line.startsWith("# TYPE ")) {
			assert.ok(family, `${where}: a sample is below its head`);
			const sample = readSample(line, where);
			const suffixes = SUFFIXES[family.type] ?? [""];
			assert.ok(
				suffixes.some((suffix) => sample.name === `${family?.name}${suffix}`),
				`${where}: it is of ${family.name}`,
			);
			const key = line.slice(0, line.lastIndexOf(" "));
			assert.ok(!series.has(key), `${where}: once`);
			series.add(key);
			family.samples.push(sample);
		}
	}
	for (const { name, samples } of families.values()) assert.ok(samples.length > 0, `${name} has samples`);
	return families;
}

function readSample(line: string, where: string): ReadSample {
	const [, name = "", labels = "", value = ""] = SAMPLE.exec(line) ?? [];
	assert.match(name, NAME, where);
	assert.match(value, VALUE, where);
	const found: Record<string, string> = {};
	LABEL.lastIndex = 0;
	while (LABEL.lastIndex < labels.length) {
		const match = LABEL.exec(labels);
		assert.ok(match, `${where}: a label`);
		const [, key = "", text = ""] = match;
		assert.ok(!(key in found), `${where}: a label once`);
		found[key] = text.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
	}
	return { name, labels: found, value: Number(value.replace("Inf", "Infinity")) };
}
