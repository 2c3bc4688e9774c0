// The same script against libvirtd and against virtkit: results, states, events and error codes must be the same.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startDaemon, type TestDaemon } from "@virtkit/testing/daemon";
import { type Oracle, startLibvirtd } from "@virtkit/testing/oracle";

interface Told {
	readonly outcomes: readonly (readonly [string, ...unknown[]])[];
	readonly events: readonly unknown[];
}

let virtkit: TestDaemon;
let libvirtd: Oracle;

before(async () => {
	[virtkit, libvirtd] = await Promise.all([startDaemon(), startLibvirtd()]);
});

after(async () => {
	await virtkit[Symbol.asyncDispose]();
	await libvirtd[Symbol.asyncDispose]();
});

const scenarioFile = (name: string): string =>
	readFileSync(fileURLToPath(new URL(`scenarios/${name}.py`, import.meta.url)), "utf8");

async function play(name: string): Promise<{ ours: Told; theirs: Told }> {
	const script = `${scenarioFile("prelude")}\n${scenarioFile(name)}`;
	const [ours, theirs] = await Promise.all([virtkit.python(script), libvirtd.python(script)]);
	return { ours: JSON.parse(ours) as Told, theirs: JSON.parse(theirs) as Told };
}

/** Lines that differ, each with both answers: a list of them reads better than a diff of everything. */
function differences({ ours, theirs }: { ours: Told; theirs: Told }): string[] {
	const lines = theirs.outcomes.map((expected, index) => [expected, ours.outcomes[index]] as const);
	return lines
		.filter(([expected, got]) => JSON.stringify(expected) !== JSON.stringify(got))
		.map(([expected, got]) => `libvirtd ${JSON.stringify(expected)}, virtkit ${JSON.stringify(got)}`);
}

for (const name of [
	"definitions",
	"lifecycle",
	"hotplug",
	"interfaces",
	"device-kinds",
	"blockjobs",
	"backups",
	"snapshots",
	"descriptors",
	"flags",
])
	test(`${name}: every call answers as libvirtd's does, and the same events are told`, async () => {
		const told = await play(name);
		assert.deepEqual(differences(told), []);
		assert.deepEqual(told.ours.events, told.theirs.events);
	});
