// virtkit.conf and where the HTTP front-end may listen.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { parseDaemonOptions } from "./options.ts";
import { parseDaemonSettings } from "./settings-file.ts";

const unknown: string[] = [];
const parse = (text: string) => parseDaemonSettings(text, "virtkit.conf", (key) => unknown.push(key));

test("the HTTP front-end listens nowhere unless told", () => {
	assert.deepEqual(parse("# nothing\n\n[http]\n"), {});
	assert.equal(parseDaemonOptions([]).http, undefined);
});

test("it listens on a loopback address or on a UNIX socket", () => {
	for (const [spelled, address] of [
		["127.0.0.1:9177", { host: "127.0.0.1", port: 9177 }],
		["[::1]:0", { host: "::1", port: 0 }],
		["localhost:80", { host: "localhost", port: 80 }],
		["/run/virtkit/http sock", { path: "/run/virtkit/http sock" }],
	] as const) {
		assert.deepEqual(parse(`[http]\nlisten = "${spelled}" # here\n`), { httpListen: address });
		assert.deepEqual(parseDaemonOptions(["--http", spelled]).http, address);
	}
});

test("other addresses and lines are refused with file and line", () => {
	for (const [text, why] of [
		["[http]\nlisten = 0.0.0.0:80", /virtkit\.conf:2: .*loopback/],
		["[http]\nlisten = 127.0.0.1:70000", /virtkit\.conf:2: .*127\.0\.0\.1:70000/],
		["[http]\nlisten = relative/path", /virtkit\.conf:2: .*relative\/path/],
		["[http\n", /virtkit\.conf:1: '\[http'/],
		["listen", /virtkit\.conf:1: 'listen'/],
	] as const)
		assert.throws(
			() => parse(text),
			(error: Error) => isVirtError("CONF_SYNTAX")(error) && why.test(error.message),
			text,
		);
	assert.throws(() => parseDaemonOptions(["--http", "example.org:80"]), /loopback/);
});

test("keys that are not known are reported", () => {
	unknown.length = 0;
	assert.deepEqual(parse("colour = blue\n[http]\nlimit = 3\n"), {});
	assert.deepEqual(unknown, ["[] colour", "[http] limit"]);
});
