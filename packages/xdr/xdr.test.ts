// Codecs: bytes as the specification has them, values that do not fit, lengths that lie.

import assert from "node:assert/strict";
import { test } from "node:test";
import { arbitraryOf } from "@virtkit/testing/codec-arbitrary";
import fc from "fast-check";
import { charBytes, chars, fixedChars } from "./chars.ts";
import { type Codec, decodeValue, encodeValue, type Infer } from "./codec.ts";
import { array, fixedArray, optional, union } from "./composite.ts";
import { XdrError } from "./error.ts";
import {
	bool,
	double,
	enumeration,
	fixedOpaque,
	hyper,
	int,
	opaque,
	range,
	string,
	uhyper,
	uint,
	uuid,
	voidCodec,
} from "./primitive.ts";
import { XdrReader } from "./reader.ts";
import { struct } from "./struct.ts";
import { XdrWriter } from "./writer.ts";

const person = struct({ name: string(64), age: uint, seen: optional(hyper), tags: array(string(8), 3) });

/** One row a codec: a value and its bytes in hex, worked out by hand from RFC 4506. */
const BYTES: readonly (readonly [name: string, codec: Codec<unknown>, value: unknown, hex: string])[] = [
	["void", voidCodec, undefined, ""],
	["int", int, -2, "fffffffe"],
	["uint", uint, 0xdeadbeef, "deadbeef"],
	["hyper", hyper, -1n, "ffffffffffffffff"],
	["uhyper", uhyper, 2n ** 63n, "8000000000000000"],
	["double", double, 1.5, "3ff8000000000000"],
	["bool", bool, true, "00000001"],
	["enumeration", enumeration(0, 7), 7, "00000007"],
	["range", range(0, 255), 200, "000000c8"],
	["string, padded", string(9), "hello", "0000000568656c6c6f000000"],
	["string in UTF-8", string(9), "Hà", "0000000348c3a000"],
	["empty string", string(9), "", "00000000"],
	["opaque", opaque(4), Buffer.from([1, 2]), "0000000201020000"],
	["fixed opaque", fixedOpaque(3), Buffer.from([1, 2, 3]), "01020300"],
	["uuid", uuid, "6695eb01-f6a4-8304-79aa-97f2502e193f", "6695eb01f6a4830479aa97f2502e193f"],
	["array", array(int, 2), [1, 2], "000000020000000100000002"],
	["fixed array", fixedArray(int, 2), [1, 2], "0000000100000002"],
	["absent optional", optional(int), null, "00000000"],
	["present optional", optional(int), 5, "0000000100000005"],
	["union", union({ 1: int, 7: string(4) }), { type: 7, value: "ab" }, "000000070000000261620000"],
	["fixed chars", fixedChars(3), "ab", "000000610000006200000000"],
	["chars end with a NUL", chars(4), "a", "000000020000006100000000"],
	["char bytes", charBytes(4), Buffer.from([0xff]), "00000001ffffffff"],
	[
		"struct",
		person,
		{ name: "A", age: 3, seen: 1n, tags: ["b"] },
		"00000001410000000000000300000001000000000000000100000001" + "0000000162000000",
	],
];

for (const [name, codec, value, hex] of BYTES) {
	test(`${name} is encoded as the specification has it, and decoded back`, () => {
		assert.equal(encodeValue(codec, value).toString("hex"), hex);
		assert.deepEqual(decodeValue(codec, Buffer.from(hex, "hex")), value);
	});
}

test("any value of a nested structure survives the way", () => {
	const nested = struct({ people: array(person, 9), one: union({ 1: person, 2: double }), id: uuid, text: chars(99) });
	fc.assert(
		fc.property(arbitraryOf(nested), (value) => {
			assert.deepEqual(decodeValue(nested, encodeValue(nested, value)), value);
		}),
	);
});

test("a structure decodes to a plain object in declared order", () => {
	const value: Infer<typeof person> = decodeValue(
		person,
		encodeValue(person, { tags: [], seen: null, age: 1, name: "x" }),
	);
	assert.deepEqual(Object.keys(value), ["name", "age", "seen", "tags"]);
});

/** Values that a codec refuses to encode. */
const UNFIT: readonly (readonly [name: string, codec: Codec<unknown>, value: unknown])[] = [
	["an int above its range", int, 2 ** 31],
	["a fraction as int", int, 0.5],
	["a negative uint", uint, -1],
	["a hyper above its range", hyper, 2n ** 63n],
	["a negative uhyper", uhyper, -1n],
	["a char above its range", range(-128, 127), 128],
	["an undeclared enumeration value", enumeration(1), 2],
	["a string longer in bytes than allowed", string(3), "àà"],
	["opaque data longer than allowed", opaque(1), Buffer.alloc(2)],
	["fixed opaque data of another length", fixedOpaque(2), Buffer.alloc(1)],
	["an array longer than allowed", array(int, 1), [1, 2]],
	["a union's undeclared arm", union({ 1: int }), { type: 2, value: 1 }],
	["what is no UUID", uuid, "6695eb01"],
	["characters with a NUL", chars(9), "a\0b"],
	["characters that leave no room for the NUL", fixedChars(2), "ab"],
];

for (const [name, codec, value] of UNFIT) {
	test(`${name} cannot be encoded`, () => {
		assert.throws(() => encodeValue(codec, value), XdrError);
	});
}

/** Bytes that a codec refuses to decode. */
const HOSTILE: readonly (readonly [name: string, codec: Codec<unknown>, hex: string])[] = [
	["a string that announces 4 GiB", string(2 ** 32), "ffffffff"],
	["a string longer than allowed", string(2), "0000000361626300"],
	["a string with a NUL in it", string(9), "0000000361006200"],
	["a string without its padding", string(9), "0000000161"],
	["an array that announces 4 billion elements", array(person, 2 ** 32), "ffffffff00000000"],
	["an array of more elements than the rest can hold", array(hyper, 100), "000000020000000000000001"],
	["an array longer than allowed", array(int, 1), "000000020000000100000002"],
	["an array of empty structures longer than allowed", array(struct({}), 9), "ffffffff"],
	["an optional value that is neither there nor absent", optional(int), "0000000200000001"],
	["a union's undeclared arm", union({ 1: int }), "0000000200000001"],
	["an undeclared enumeration value", enumeration(1), "00000002"],
	["characters of more than allowed", chars(2), "00000003000000610000006200000063"],
	["a structure that ends too early", person, "0000000141000000"],
	["bytes left over", int, "0000000100"],
];

for (const [name, codec, hex] of HOSTILE) {
	test(`${name} is refused`, () => {
		assert.throws(() => decodeValue(codec, Buffer.from(hex, "hex")), XdrError);
	});
}

test("no bytes at all make a decoder fail in another way, or read past the end", () => {
	const codec = struct({
		people: array(person, 1000),
		one: union({ 1: person, 2: double }),
		id: uuid,
		text: chars(99),
	});
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
			try {
				decodeValue(codec, Buffer.from(bytes));
			} catch (error) {
				assert.ok(error instanceof XdrError);
			}
		}),
	);
});

test("what a writer handed out stays as it is while it goes on writing and grows", () => {
	const writer = new XdrWriter(16);
	writer.string("first", 100);
	const first = writer.take();
	const before = first.toString("hex");
	for (let index = 0; index < 1000; index++) writer.string(`text ${index}`.repeat(20), 10_000);
	const second = writer.take();
	assert.equal(first.toString("hex"), before);
	const reader = new XdrReader(second);
	for (let index = 0; index < 1000; index++) assert.equal(reader.string(10_000), `text ${index}`.repeat(20));
	reader.finish();
});

test("a message that failed half-way can be taken back", () => {
	const writer = new XdrWriter(16);
	writer.uint(1);
	const start = writer.length;
	writer.string("half a message", 100);
	writer.truncate(start);
	writer.uint(2);
	assert.equal(writer.take().toString("hex"), "0000000100000002");
});

test("a length is filled in afterwards, also when the buffer has grown since", () => {
	const writer = new XdrWriter(8);
	writer.uint(7);
	writer.take();
	const position = writer.length;
	writer.uint(0);
	writer.fixedOpaque(Buffer.alloc(100_000));
	writer.patchUint(position, writer.length);
	assert.equal(writer.take().readUInt32BE(0), 100_004);
});

test("strings of every length around the writer's ways of copying come out whole", () => {
	for (const length of [0, 1, 31, 32, 33, 4095, 4096, 4097, 70_000]) {
		for (const unit of ["x", "é", "日", "😀"]) {
			const value = unit.repeat(length);
			assert.equal(decodeValue(string(1_000_000), encodeValue(string(1_000_000), value)), value);
		}
	}
});

test("a field name that is no identifier is refused where the structure is first used", () => {
	assert.throws(() => encodeValue(struct({ "a;b": int }), { "a;b": 1 }), TypeError);
});
