// Tests of the translation between sets of key codes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { translateKey } from "./send-key.ts";

test("the same key of every set comes to the same number of QEMU's", () => {
	// The letter A, in virKeycodeSet's order: Linux, XT, AT sets 1 to 3, Mac OS, XT for Linux' driver, USB, Windows, QEMU.
	const letterA = [30, 0x1e, 0x1e, 0x1c, 0x1c, 0, 0x1e, 4, 0x41, 0x1e];
	for (const [codeset, code] of letterA.entries()) assert.equal(translateKey(codeset, code), 0x1e, `set ${codeset}`);
	// Right Ctrl is one of those with 0xe0 in front.
	assert.equal(translateKey(0, 97), 0x9d);
	assert.equal(translateKey(1, 0xe01d), 0x9d);
});

test("a code that no key has is refused, as is a set that nobody knows", () => {
	assert.throws(
		() => translateKey(0, 99999),
		isVirtError("INTERNAL_ERROR", "cannot translate keycode 99999 of linux codeset to qnum keycode"),
	);
	assert.throws(() => translateKey(7, -1), isVirtError("INTERNAL_ERROR", "cannot translate keycode -1"));
	assert.throws(() => translateKey(10, 1), isVirtError("INVALID_ARG", "unknown set of key codes"));
});
