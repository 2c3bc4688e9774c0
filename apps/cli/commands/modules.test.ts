// The index of commands says what the modules declare.

import assert from "node:assert/strict";
import test from "node:test";
import { findCommand, hasCommand, loadGroups } from "./all.ts";
import { MODULES } from "./modules.ts";

test("each module declares the commands that the index names, in this order, and none is declared twice", async () => {
	const all: string[] = [];
	for (const { names, load } of MODULES) {
		const declared = (await load()).flatMap(({ name, aliases = [] }) => [name, ...aliases]);
		assert.equal(names, declared.join(" "));
		all.push(...declared);
	}
	assert.equal(new Set(all).size, all.length);
});

test("a command is found by its whole name alone", async () => {
	assert.equal((await findCommand("start"))?.name, "start");
	assert.ok(hasCommand("domstats"));
	for (const name of ["", "star", "start shutdown"]) {
		assert.equal(hasCommand(name), false);
		assert.equal(await findCommand(name), undefined);
	}
});

test("each command belongs to one group that help knows", async () => {
	const grouped = (await loadGroups()).flatMap(({ commands }) => commands.map(({ name }) => name));
	const declared = (await Promise.all(MODULES.map(({ load }) => load()))).flat().map(({ name }) => name);
	assert.deepEqual(grouped.sort(), declared.sort());
	const monitoring = (await loadGroups("monitor"))[0]?.commands.map(({ name }) => name) ?? [];
	assert.ok(monitoring.includes("domstats") && monitoring.includes("list") && !monitoring.includes("domid"));
});
