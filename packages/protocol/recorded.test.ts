// Conversations recorded between libvirt's own client and daemon are read, and written again to the very bytes.

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { test } from "node:test";
import type { Codec } from "@virtkit/xdr/codec";
import { XdrWriter } from "@virtkit/xdr/writer";
import { encodeFrame, type Frame, FrameDecoder, MESSAGE_STATUS, MESSAGE_TYPES } from "./frame.ts";
import { programByNumber } from "./lookup.ts";
import type { Procedure } from "./procedure.ts";
import { remoteProcedures } from "./programs.ts";
import { fromRemoteError, toRemoteError } from "./remote-error.ts";
import { remoteError } from "./types/error.ts";

interface Recording {
	readonly session: string;
	readonly messages: readonly (readonly [from: "client" | "server", hex: string])[];
}

const FOLDER = new URL("../../fixtures/wire/", import.meta.url);
const recordings = globSync("*.json", { cwd: FOLDER.pathname }).map((file) => {
	return [basename(file, ".json"), JSON.parse(readFileSync(new URL(file, FOLDER), "utf8")) as Recording] as const;
});

function procedureOf(frame: Frame): Procedure {
	const row = programByNumber(frame.program)?.byNumber[frame.procedure];
	assert.ok(row, `procedure ${frame.procedure} of program ${frame.program}`);
	return row.procedure;
}

/** What a frame's payload is, undefined where it is raw bytes. */
function payloadCodec(frame: Frame): Codec<unknown> | undefined {
	if (frame.type === MESSAGE_TYPES.STREAM) return undefined;
	if (frame.status === MESSAGE_STATUS.ERROR) return remoteError;
	const procedure = procedureOf(frame);
	if (procedure.kind === "event") return procedure.message;
	return frame.type === MESSAGE_TYPES.CALL ? procedure.args : procedure.ret;
}

function decodeFrames(bytes: Buffer): Frame[] {
	const frames: Frame[] = [];
	new FrameDecoder((frame) => frames.push(frame)).push(bytes);
	return frames;
}

function reencode(frame: Frame): Buffer {
	const writer = new XdrWriter();
	const codec = payloadCodec(frame);
	if (codec === undefined) {
		encodeFrame(writer, frame, (to) => to.raw(frame.payload.rest()));
	} else {
		const value = codec.decode(frame.payload);
		frame.payload.finish();
		encodeFrame(writer, frame, (to) => codec.encode(to, value));
	}
	return writer.take();
}

for (const [name, { session, messages }] of recordings) {
	test(`recording ${name} (${session}) is read and written again, byte by byte`, () => {
		assert.ok(messages.length > 10);
		for (const [, hex] of messages) {
			const [frame, ...more] = decodeFrames(Buffer.from(hex, "hex"));
			assert.ok(frame !== undefined && more.length === 0);
			assert.equal(reencode(frame).toString("hex"), hex);
		}
	});
}

const {
	NODE_GET_SECURITY_MODEL: { number: NODE_GET_SECURITY_MODEL },
} = remoteProcedures;

function messagesOf(name: string): Frame[] {
	const found = recordings.find(([other]) => other === name);
	assert.ok(found);
	return found[1].messages.flatMap(([, hex]) => decodeFrames(Buffer.from(hex, "hex")));
}

function decoded(name: string, type: number, procedure: number): unknown[] {
	const frames = messagesOf(name).filter((frame) => frame.type === type && frame.procedure === procedure);
	return frames.map((frame) => payloadCodec(frame)?.decode(frame.payload));
}

test("a recorded list of domains is what virsh showed", () => {
	assert.deepEqual(decoded("list", MESSAGE_TYPES.REPLY, 273), [
		{ domains: [{ name: "test", uuid: "6695eb01-f6a4-8304-79aa-97f2502e193f", id: 1 }], ret: 1 },
	]);
});

test("a recorded error becomes a VirtError, and that the same error again", () => {
	const [error] = messagesOf("define").filter((frame) => frame.status === MESSAGE_STATUS.ERROR);
	assert.ok(error);
	const remote = remoteError.decode(error.payload);
	const virt = fromRemoteError(remote);
	assert.equal(virt.code, "NO_DOMAIN");
	assert.equal(virt.message, "Domain not found: no domain with matching name 'nope'");
	assert.deepEqual(toRemoteError(virt), remote);
});

test("recorded lifecycle events carry what happened", () => {
	const domain = { name: "test", uuid: "6695eb01-f6a4-8304-79aa-97f2502e193f", id: 1 };
	assert.deepEqual(decoded("bindings", MESSAGE_TYPES.EVENT, 318), [
		{ callbackID: 0, msg: { dom: domain, event: 3, detail: 0 } },
		{ callbackID: 0, msg: { dom: domain, event: 4, detail: 0 } },
	]);
});

test("recorded typed parameters keep their types", () => {
	assert.deepEqual(decoded("bindings", MESSAGE_TYPES.REPLY, 57).at(-1), {
		params: [{ field: "weight", value: { type: 2, value: 50 } }],
	});
});

test("the text in C arrays of char is read without the NUL that ends it", () => {
	assert.deepEqual(decoded("bindings", MESSAGE_TYPES.REPLY, NODE_GET_SECURITY_MODEL), [
		{ model: "testSecurity", doi: "" },
	]);
	const [info] = decoded("bindings", MESSAGE_TYPES.REPLY, 6) as { model: string }[];
	assert.equal(info?.model, "i686");
});
