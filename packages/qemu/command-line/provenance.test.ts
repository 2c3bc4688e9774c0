// The options of all fixtures: each one can say where it came from.

import assert from "node:assert/strict";
import test from "node:test";
import { parseDomain } from "@virtkit/model/domain/domain";
import { buildFixture, completeFixture, fixtureGuests } from "@virtkit/testing/fixture-guest";
import { type ExplainedOption, explainCommand } from "./explain.ts";

/** A rule that makes an option, and the element whose absence it needs, if it needs one. */
type Rule = readonly [what: RegExp, absent?: RegExp];

/** Options that no element asks for, by name. */
const BY_RULE: Readonly<Record<string, Rule>> = {
	"-S": [/starts paused/],
	"-object": [/key that protects the guest's secrets/],
	"-smp": [/virtual CPUs/, /<vcpu\b/],
	"-display": [/no graphics/, /<graphics/],
	"-no-user-config": [/nothing but what the definition says/],
	"-nodefaults": [/nothing but what the definition says/],
	"-chardev": [/monitor/],
	"-mon": [/monitor/],
	"-rtc": [/clock/, /<clock/],
	"-no-shutdown": [/what happens when the guest stops/],
	"-no-acpi": [/no <acpi\/>/, /<acpi\/>/],
	"-sandbox": [/seccomp/],
	"-msg": [/times in QEMU's log/],
};

/** Devices that definitions get without asking. */
const DEFAULT_DEVICE = /^(controller|memballoon|audio|input|video|console|serial|channel|panic|hub) /;

const show = ({ name, value, what }: ExplainedOption): string => `${name} ${value}: ${what}`;

for (const { name, text } of fixtureGuests("domain", "devices"))
	test(`every option of ${name} has an element or a rule that made it`, () => {
		const lines = text.split("\n");
		const options = explained(text);
		const unexplained = options.filter(({ line, name: option, what }) => {
			if (line !== undefined) return !/^\s*<[a-z]/.test(lines[line - 1] ?? "");
			const [rule, absent] = BY_RULE[option] ?? [];
			return !(rule?.test(what) && !absent?.test(text)) && !DEFAULT_DEVICE.test(what);
		});
		assert.deepEqual(unexplained.map(show), []);
		assert.notEqual(options.length, 0);
	});

function explained(text: string): ExplainedOption[] {
	return explainCommand(buildFixture(completeFixture(parseDomain(text, { strict: true }))));
}

test("an element that holds one text is told apart from the one around it", () => {
	const [boot] = fixtureGuests("domain").filter(({ name }) => name === "domain/boot.xml");
	assert.ok(boot);
	const lines = boot.text.split("\n");
	const lineOf = (option: string): string | undefined => {
		const { line = 0 } = explained(boot.text).find(({ name }) => name === option) ?? {};
		return lines[line - 1]?.trim().replace(/>.*/, ">");
	};
	assert.deepEqual(["-name", "-uuid", "-kernel", "-append", "-acpitable"].map(lineOf), [
		"<name>",
		"<uuid>",
		"<kernel>",
		"<cmdline>",
		"<table type='slic'>",
	]);
});
