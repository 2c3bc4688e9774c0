// The command grammar: virsh's rules and complaints.

import assert from "node:assert/strict";
import test from "node:test";
import { command, flag, named, namedNumber, needed, optional, rest } from "./command.ts";
import { commandHelp, synopsis } from "./help.ts";
import { parseArguments, splitCommands } from "./parse.ts";

const start = command<
	void,
	{
		domain: ReturnType<typeof needed>;
		file: ReturnType<typeof optional>;
		paused: ReturnType<typeof flag>;
		holdtime: ReturnType<typeof namedNumber>;
		xml: ReturnType<typeof named>;
		set: ReturnType<typeof rest>;
	}
>({
	name: "start",
	summary: "start a guest",
	options: {
		domain: needed("name of the domain"),
		file: optional("a file"),
		paused: flag("leave it paused"),
		holdtime: namedNumber("milliseconds"),
		xml: named("a document", { alias: "document" }),
		set: rest("parameter=value"),
	},
	run: async () => undefined,
});

test("values are taken by position and by name, in any order", () => {
	assert.deepEqual(parseArguments(start, ["--paused", "web", "--holdtime", "20", "f", "a=1", "b=2"]), {
		domain: "web",
		file: "f",
		paused: true,
		holdtime: 20,
		set: ["a=1", "b=2"],
	});
	assert.deepEqual(parseArguments(start, ["--domain=web", "f"]), {
		domain: "web",
		file: "f",
		paused: false,
		set: [],
	});
});

test("an alias of an option is the option", () => {
	assert.equal(parseArguments(start, ["web", "--document", "x"]).xml, "x");
});

test("after -- everything is data", () => {
	assert.equal(parseArguments(start, ["--", "--web"]).domain, "--web");
});

test("complaints are virsh's", () => {
	const complaint = (words: string[], message: string): void =>
		assert.throws(() => parseArguments(start, words), {
			name: "UsageError",
			message,
		});
	complaint([], "command 'start' requires <domain> option");
	complaint(["web", "--foo"], "command 'start' doesn't support option --foo");
	complaint(["web", "--domain", "db"], "option --domain already seen");
	complaint(["web", "--paused=yes"], "invalid '=' after option --paused");
	complaint(["web", "--xml"], "expected syntax: --xml <string>");
	complaint(["web", "--holdtime", "soon"], "Numeric value 'soon' for <holdtime> option is malformed or out of range");
	const bare = command({
		name: "bare",
		summary: "",
		options: {},
		run: async () => undefined,
	});
	assert.throws(() => parseArguments(bare, ["x"]), {
		message: "unexpected data 'x'",
	});
});

test("a line is split into commands by ; with quotes, backslashes and comments", () => {
	assert.deepEqual(splitCommands(`define "my file.xml"; start a\\ b 'c"d' # now\nlist`), [
		["define", "my file.xml"],
		["start", "a b", 'c"d'],
		["list"],
	]);
	assert.deepEqual(splitCommands(" ; "), []);
	assert.throws(() => splitCommands("desc 'x"), { message: "missing '" });
});

test("help names every option in virsh's layout", () => {
	assert.equal(
		synopsis(start),
		"start <domain> [--file <string>] [--paused] [--holdtime <number>] [--xml <string>] [[--set] <string>]...",
	);
	assert.match(commandHelp(start), /^ {2}NAME\n {4}start - start a guest\n\n {2}SYNOPSIS\n/);
	assert.match(
		commandHelp(start),
		/\n {4}\[--domain\] <string> {2}name of the domain\n {4}--file <string> {2}a file\n {4}--paused {9}leave it paused\n/,
	);
});
