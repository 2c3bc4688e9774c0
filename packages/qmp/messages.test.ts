// QMP lines and messages: any split of the bytes, the size limit, bad JSON.

import assert from "node:assert/strict";
import test from "node:test";
import { VirtError } from "@virtkit/base/errors";
import fc from "fast-check";
import { LineDecoder } from "./line-decoder.ts";
import { formatCommand, parseMessage } from "./messages.ts";

test("lines come out whole however their bytes are split", () => {
	const line = fc.string({ unit: "binary" }).map((text) => text.replaceAll(/[\r\n]/g, " ").trim());
	fc.assert(
		fc.property(fc.array(line), fc.array(fc.nat(40)), (lines, cuts) => {
			const bytes = Buffer.from(lines.map((text) => `${text}\r\n`).join(""));
			const decoder = new LineDecoder();
			const seen: string[] = [];
			let start = 0;
			for (const cut of [...cuts, bytes.length]) {
				seen.push(...decoder.push(bytes.subarray(start, start + cut)));
				start = Math.min(start + cut, bytes.length);
			}
			assert.deepEqual(
				seen,
				lines.map((text) => Buffer.from(text).toString().trim()).filter((text) => text !== ""),
			);
			assert.equal(decoder.pendingBytes, 0);
		}),
	);
});

test("a character split between two reads survives", () => {
	const bytes = Buffer.from('{"return":"é€😀"}\n');
	for (let cut = 0; cut <= bytes.length; cut++) {
		const decoder = new LineDecoder();
		const lines = [...decoder.push(bytes.subarray(0, cut)), ...decoder.push(bytes.subarray(cut))];
		assert.deepEqual(lines, ['{"return":"é€😀"}']);
	}
});

test("a line over the limit is refused, whether it ends or not", () => {
	const refused = { name: "VirtError", code: "INTERNAL_ERROR", message: /line of more than 8 bytes/ };
	assert.throws(() => new LineDecoder(8).push(Buffer.from("123456789")), refused);
	assert.throws(() => new LineDecoder(8).push(Buffer.from("123456789\n")), refused);
	const decoder = new LineDecoder(8);
	decoder.push(Buffer.from("12345"));
	assert.throws(() => decoder.push(Buffer.from("6789")), refused);
	assert.deepEqual(new LineDecoder(8).push(Buffer.from("12345678\n1\n")), ["12345678", "1"]);
});

test("greeting, return, error and event are told apart", () => {
	const version = '{"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2"}';
	assert.deepEqual(parseMessage(`{"QMP": {"version": ${version}, "capabilities": ["oob"]}}`), {
		kind: "greeting",
		version: { major: 7, minor: 2, micro: 22 },
		package: "Debian 1:7.2",
		capabilities: ["oob"],
	});
	const line = '{"return": {}, "id": "virtkit-1"}';
	assert.deepEqual(parseMessage(line), { kind: "return", id: "virtkit-1", value: {}, line });
	const refusal = '{"id": "a", "error": {"class": "GenericError", "desc": "no"}}';
	assert.deepEqual(parseMessage(refusal), { kind: "error", id: "a", class: "GenericError", desc: "no", line: refusal });
});

test("an event's time is in microseconds, and its data never missing", () => {
	const event = parseMessage('{"timestamp": {"seconds": 1700000000, "microseconds": 7}, "event": "STOP"}');
	assert.deepEqual(event, { kind: "event", event: "STOP", data: {}, timestamp: 1_700_000_000_000_007 });
});

test("text that is no JSON object or no QMP message is refused with what it was", () => {
	for (const line of ["{", "[1]", "12", "null", '"x"', '{"hello": 1}', "qemu: bad option"])
		assert.throws(
			() => parseMessage(line),
			(error) => error instanceof VirtError && error.code === "INTERNAL_ERROR" && error.message.includes(line),
		);
});

test("a command is one line, without members that are undefined", () => {
	assert.equal(formatCommand("execute", "query-status", undefined, "1"), '{"execute":"query-status","id":"1"}\r\n');
	const args = { value: 3, id: undefined, text: "a\nb" };
	assert.equal(formatCommand("exec-oob", "x", args), '{"exec-oob":"x","arguments":{"value":3,"text":"a\\nb"}}\r\n');
});
