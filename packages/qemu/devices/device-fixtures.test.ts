// Whole domains of the fixtures: what they are completed to, and which options they and their devices become.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { formatDomain, parseDomain } from "@virtkit/model/domain/domain";
import { buildFixture, completeFixture, fixtureGuests } from "@virtkit/testing/fixture-guest";

const FOLDER = join(import.meta.dirname, "../../../fixtures/argv");

/** The completed document, and its options: those of its devices alone where `whole` is false. */
function run(text: string, whole: boolean): { document: string; args: string } {
	const def = parseDomain(text, { strict: true });
	const context = completeFixture(def);
	const document = formatDomain(def, { inactive: true, secure: true });
	const command = buildFixture(context);
	const devices = new Set<unknown>(Object.values(def.devices).flat());
	const options = command.options
		.filter(({ origin: { element } }) => whole || devices.has(element))
		.map(({ name, value }) => (value === undefined ? name : `${name} ${value}`));
	return { document, args: `${options.join("\n")}\n` };
}

for (const { name, text } of fixtureGuests("domain", "devices", "newer")) {
	const base = join(FOLDER, name.replace(/\.xml$/, ""));
	const whole = !name.startsWith("devices/");

	test(`${name} is completed to the document beside it, and becomes the options`, () => {
		const { document, args } = run(text, whole);
		if (process.env["UPDATE_FIXTURES"]) {
			writeFileSync(`${base}.complete.xml`, document);
			writeFileSync(`${base}.args`, args);
		}
		assert.equal(document, readFileSync(`${base}.complete.xml`, "utf8"));
		assert.equal(args, readFileSync(`${base}.args`, "utf8"));
	});

	test(`the guest of the completed ${name} is the same`, () => {
		const { args } = run(readFileSync(`${base}.complete.xml`, "utf8"), whole);
		assert.equal(args, readFileSync(`${base}.args`, "utf8"));
	});
}
