// The same migrations between two libvirtds and between two daemons of ours: results, whereabouts, events and error codes must be the same.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { startDaemon } from "@virtkit/testing/daemon";
import type { LibvirtClients } from "@virtkit/testing/libvirt-clients";
import { startLibvirtd } from "@virtkit/testing/oracle";

/** A busy machine takes its time over two dozen guests. */
const DEADLINE_MS = 400_000;

interface Told {
	readonly outcomes: readonly (readonly [string, ...unknown[]])[];
	readonly events: unknown;
}

const scenarioFile = (name: string): string =>
	readFileSync(fileURLToPath(new URL(`scenarios/${name}.py`, import.meta.url)), "utf8");

async function play(from: LibvirtClients, to: LibvirtClients): Promise<Told> {
	const script = `sys.argv.append(${JSON.stringify(to.uri)})\n${scenarioFile("prelude")}\n${scenarioFile("migration")}`;
	return JSON.parse(await from.python(script, { deadlineMs: DEADLINE_MS })) as Told;
}

test("migrations between two daemons answer as those between two libvirtds, and the same events are told", async () => {
	await using source = await startDaemon();
	await using target = await startDaemon();
	await using libvirtd = await startLibvirtd();
	await using other = await startLibvirtd();
	const [ours, theirs] = await Promise.all([play(source, target), play(libvirtd, other)]);
	const differences = theirs.outcomes
		.map((expected, index) => [expected, ours.outcomes[index]] as const)
		.filter(([expected, got]) => JSON.stringify(expected) !== JSON.stringify(got))
		.map(([expected, got]) => `libvirtd ${JSON.stringify(expected)}, virtkit ${JSON.stringify(got)}`);
	assert.deepEqual(differences, []);
	assert.deepEqual(ours.events, theirs.events);
});
