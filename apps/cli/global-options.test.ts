// Options before the command, and --output among its words.

import assert from "node:assert/strict";
import test from "node:test";
import { defaultUri, parseInvocation } from "./global-options.ts";

const parse = (...argv: string[]) => parseInvocation(argv, "qemu:///system");

test("options end where the command begins, short switches may stand together", () => {
	const { options, words } = parse("-rq", "-c", "test:///x", "list", "--all", "-q");
	assert.deepEqual(options, { uri: "test:///x", readOnly: true, quiet: true, timing: false, json: false });
	assert.deepEqual(words, ["list", "--all", "-q"]);
	assert.equal(parse("--connect=qemu:///session").options.uri, "qemu:///session");
});

test("--output is taken before the command and among its words, but not after --", () => {
	for (const argv of [
		["-o", "json", "list", "--all"],
		["--output=json", "list", "--all"],
		["list", "--output", "json", "--all"],
		["list", "--all", "--output=json"],
	]) {
		const { options, words } = parse(...argv);
		assert.deepEqual([options.json, words], [true, ["list", "--all"]]);
	}
	const { options, words } = parse("echo", "--", "--output", "json");
	assert.deepEqual([options.json, words], [false, ["echo", "--", "--output", "json"]]);
});

test("what is no option, lacks its value or names no format is refused", () => {
	assert.throws(() => parse("--nonsense"), /unsupported option '--nonsense'/);
	assert.throws(() => parse("-c"), /'-c' requires an argument/);
	assert.throws(() => parse("list", "--output"), /'--output' requires an argument/);
	assert.throws(() => parse("list", "--output", "yaml"), /takes table or json, not 'yaml'/);
});

test("the environment names the connection, else it is the daemon of who asks", () => {
	assert.equal(defaultUri({ LIBVIRT_DEFAULT_URI: "test:///default" }, 0), "test:///default");
	assert.match(defaultUri({}, 0), /\/run\/virtkit\/libvirt-sock$/);
	assert.match(
		defaultUri({ XDG_RUNTIME_DIR: "/run/user/7" }, 7),
		/session\?socket=\/run\/user\/7\/virtkit\/libvirt-sock$/,
	);
});
