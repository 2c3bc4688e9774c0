// Framing, with bytes cut anywhere and lengths that lie.

import assert from "node:assert/strict";
import { test } from "node:test";
import { XdrWriter } from "@virtkit/xdr/writer";
import fc from "fast-check";
import {
	encodeFrame,
	FRAME_LIMITS,
	FrameDecoder,
	FrameError,
	type FrameHeader,
	MESSAGE_STATUS,
	MESSAGE_TYPES,
} from "./frame.ts";

type Plain = FrameHeader & { readonly data: string };

const header = fc.record(
	{
		program: fc.nat(),
		version: fc.nat(),
		procedure: fc.integer(),
		type: fc.constantFrom(...Object.values(MESSAGE_TYPES)),
		serial: fc.nat(),
		status: fc.constantFrom(...Object.values(MESSAGE_STATUS)),
	},
	{ noNullPrototype: true },
);
const plain = fc.tuple(header, fc.uint8Array({ maxLength: 300 }));

function encodeAll(frames: readonly (readonly [FrameHeader, Uint8Array])[]): Buffer {
	const writer = new XdrWriter();
	for (const [one, data] of frames) encodeFrame(writer, one, (to) => to.raw(data));
	return writer.take();
}

function decoder(): { readonly decoder: FrameDecoder; readonly frames: Plain[] } {
	const frames: Plain[] = [];
	const made = new FrameDecoder(({ payload, ...rest }) => {
		frames.push({ ...rest, data: payload.rest().toString("hex") });
	});
	return { decoder: made, frames };
}

test("frames come out whole however their bytes are cut", () => {
	fc.assert(
		fc.property(fc.array(plain, { maxLength: 8 }), fc.array(fc.nat(700), { maxLength: 40 }), (sent, cuts) => {
			const bytes = encodeAll(sent);
			const { decoder: one, frames } = decoder();
			let at = 0;
			for (const cut of [...cuts, bytes.length]) {
				one.push(bytes.subarray(at, at + cut));
				at = Math.min(bytes.length, at + cut);
			}
			assert.deepEqual(
				frames,
				sent.map(([head, data]) => ({ ...head, data: Buffer.from(data).toString("hex") })),
			);
			assert.equal(one.incomplete, false);
		}),
	);
});

test("a frame cut into single bytes comes out whole", () => {
	const head = { program: 1, version: 2, procedure: 3, type: MESSAGE_TYPES.CALL, serial: 4, status: MESSAGE_STATUS.OK };
	const { decoder: one, frames } = decoder();
	for (const byte of encodeAll([[head, Buffer.from("abcd")]])) one.push(Buffer.from([byte]));
	assert.deepEqual(frames, [{ ...head, data: "61626364" }]);
});

test("a header is written as libvirt has it", () => {
	const head = {
		program: 0x2000_8086,
		version: 1,
		procedure: 66,
		type: MESSAGE_TYPES.REPLY,
		serial: 9,
		status: MESSAGE_STATUS.ERROR,
	};
	assert.equal(
		encodeAll([[head, Buffer.alloc(0)]]).toString("hex"),
		["0000001c", "20008086", "00000001", "00000042", "00000001", "00000009", "00000001"].join(""),
	);
});

const word = (value: number): Buffer => {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32BE(value >>> 0);
	return bytes;
};

for (const length of [0, 4, 27, FRAME_LIMITS.LENGTH_MAX + 1, 0xffff_ffff]) {
	test(`a length of ${length} is refused before anything else arrives`, () => {
		assert.throws(() => decoder().decoder.push(word(length)), FrameError);
	});
}

test("the largest length is waited for", () => {
	const { decoder: one } = decoder();
	one.push(word(FRAME_LIMITS.LENGTH_MAX));
	assert.equal(one.incomplete, true);
});

for (const [what, type, status] of [
	["type", 7, 0],
	["negative type", -1, 0],
	["status", 0, 3],
	["negative status", 0, -1],
] as const) {
	test(`a frame of unknown ${what} is refused`, () => {
		const bytes = Buffer.concat([28, 1, 1, 1, type, 0, status].map(word));
		assert.throws(() => decoder().decoder.push(bytes), FrameError);
	});
}

test("a payload larger than allowed is taken back, and what was written before stays", () => {
	const head = {
		program: 1,
		version: 1,
		procedure: 1,
		type: MESSAGE_TYPES.REPLY,
		serial: 1,
		status: MESSAGE_STATUS.OK,
	};
	const writer = new XdrWriter();
	encodeFrame(writer, head, () => undefined);
	const tooLarge = Buffer.alloc(FRAME_LIMITS.PAYLOAD_MAX + 1);
	assert.throws(() => encodeFrame(writer, head, (to) => to.raw(tooLarge)), FrameError);
	assert.equal(writer.take().length, 28);
});

test("a payload that fails half-way leaves nothing behind", () => {
	const head = {
		program: 1,
		version: 1,
		procedure: 1,
		type: MESSAGE_TYPES.REPLY,
		serial: 1,
		status: MESSAGE_STATUS.OK,
	};
	const writer = new XdrWriter();
	const fail = (to: XdrWriter): never => {
		to.uint(1);
		throw new Error("half-way");
	};
	assert.throws(() => encodeFrame(writer, head, fail), /half-way/);
	assert.equal(writer.length, 0);
});
