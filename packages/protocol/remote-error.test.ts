// Errors on their way over the wire.

import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtError } from "@virtkit/base/errors";
import { fromRemoteError, toRemoteError } from "./remote-error.ts";

test("an error keeps code, subsystem, message and numbers on its way", () => {
	const sent = new VirtError("NO_DOMAIN", "no domain with matching name 'x'", { domain: "TEST", int1: 3 });
	const got = fromRemoteError(toRemoteError(sent));
	assert.deepEqual(
		[got.code, got.domain, got.message, got.detail, got.int1, got.int2],
		["NO_DOMAIN", "TEST", "Domain not found: no domain with matching name 'x'", sent.detail, 3, -1],
	);
});

test("an error without a detail has none at the other end", () => {
	const got = fromRemoteError(toRemoteError(new VirtError("NO_DOMAIN")));
	assert.deepEqual([got.message, got.detail], ["Domain not found", undefined]);
});

test("the detail is taken off the message where a server does not send it apart", () => {
	const remote = { ...toRemoteError(new VirtError("NO_DOMAIN", "x")), str1: null, str2: null };
	assert.equal(fromRemoteError(remote).detail, "x");
});

test("a code from the future becomes an internal error that says what it was told", () => {
	const remote = { ...toRemoteError(new VirtError("NO_DOMAIN", "x")), code: 9999, domain: 9999, message: "news" };
	const got = fromRemoteError(remote);
	assert.deepEqual([got.code, got.domain, got.message], ["INTERNAL_ERROR", "NONE", "internal error: news"]);
});
