// Tests of JSON without blanks.

import assert from "node:assert/strict";
import { test } from "node:test";
import { compactJson } from "./compact-json.ts";

test("blanks go from between the parts and stay in strings", () => {
	const text = '{ "return" : {"a b": "c \\" d\\\\", "n": 1700000000123456789 ,\n "l": [ 1, 2 ] } }';
	assert.equal(compactJson(text), '{"return":{"a b":"c \\" d\\\\","n":1700000000123456789,"l":[1,2]}}');
});
