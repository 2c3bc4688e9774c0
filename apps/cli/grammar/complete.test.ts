// Completion: commands, options, values.

import assert from "node:assert/strict";
import test from "node:test";
import { type Command, command, flag, named, needed, rest } from "./command.ts";
import { complete } from "./complete.ts";

const commands: readonly Command<void>[] = [
	command({
		name: "start",
		summary: "",
		options: {
			domain: needed("", { completes: "domain" }),
			mode: named("", { completes: ["acpi", "agent"] }),
			paused: flag(""),
			more: rest("", { completes: "file" }),
		},
		run: async () => undefined,
	}),
	command({ name: "stop", summary: "", options: {}, run: async () => undefined }),
];

const names = async (kind: string): Promise<readonly string[]> =>
	kind === "domain" ? ["web", "db", "worker"] : ["file"];
const candidates = (line: string): Promise<readonly string[]> => complete(line.split(" "), commands, names);

test("the first word completes to commands", async () => {
	assert.deepEqual(await candidates("st"), ["start", "stop"]);
	assert.deepEqual(await candidates("x"), []);
});

test("a word with dashes completes to the options not given yet", async () => {
	assert.deepEqual(await candidates("start --paused --"), ["--domain", "--mode", "--more"]);
	assert.deepEqual(await candidates("start -- --"), []);
});

test("values complete to what their option asks for, by position or by name", async () => {
	assert.deepEqual(await candidates("start w"), ["web", "worker"]);
	assert.deepEqual(await candidates("start --mode a"), ["acpi", "agent"]);
	assert.deepEqual(await candidates("start web f"), ["file"]);
	assert.deepEqual(await candidates("start --domain web f"), ["file"]);
	assert.deepEqual(await candidates("stop x"), []);
});

test("names in a domain are asked of the domain that the words name", async () => {
	const asked: unknown[] = [];
	const detach: readonly Command<void>[] = [
		command({
			name: "detach-disk",
			summary: "",
			options: {
				domain: needed("", { completes: "domain" }),
				target: needed("", { completes: "disk" }),
				live: flag(""),
			},
			run: async () => undefined,
		}),
	];
	const source = async (kind: string, before: object): Promise<readonly string[]> => {
		asked.push([kind, before]);
		return ["vda", "vdb"];
	};
	assert.deepEqual(await complete(["detach-disk", "--live", "web", "v"], detach, source), ["vda", "vdb"]);
	assert.deepEqual(await complete(["detach-disk", "--target", ""], detach, source), ["vda", "vdb"]);
	assert.deepEqual(asked, [
		["disk", { domain: "web" }],
		["disk", {}],
	]);
});
