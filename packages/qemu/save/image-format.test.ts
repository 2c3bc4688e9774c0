// Tests of the head of saved images.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { decodeSaveHeader, decodeSaveTexts, encodeSaveHeader, encodeSaveImage, HEADER_BYTES } from "./image-format.ts";

const XML = "<domain type='qemu'>\n  <name>vä</name>\n</domain>\n";
const COOKIE = "<cookie>\n  <slirpHelper/>\n</cookie>\n";

test("a head that was encoded reads back, with room for a longer definition", () => {
	const head = encodeSaveImage({ complete: false, running: true, format: "raw" }, { xml: XML, cookie: COOKIE });
	const header = decodeSaveHeader(head);
	assert.deepEqual(
		{ ...header, dataLength: 0 },
		{ complete: false, running: true, format: "raw", dataLength: 0, cookieOffset: Buffer.byteLength(XML) + 1 },
	);
	assert.equal(head.length, HEADER_BYTES + header.dataLength);
	assert.deepEqual(decodeSaveTexts(head.subarray(HEADER_BYTES), header), { xml: XML, cookie: COOKIE });
	const longer = encodeSaveImage(header, { xml: XML.repeat(100), cookie: COOKIE }, header.dataLength);
	assert.equal(longer.length, head.length);
});

test("a definition without a cookie reads back without one", () => {
	const head = encodeSaveImage({ complete: true, running: false, format: "xz" }, { xml: XML });
	const header = decodeSaveHeader(head);
	assert.deepEqual([header.complete, header.running, header.format], [true, false, "xz"]);
	assert.deepEqual(decodeSaveTexts(head.subarray(HEADER_BYTES), header), { xml: XML });
});

test("a definition that needs more room than there is is refused", () => {
	assert.throws(
		() => encodeSaveImage({ complete: true, running: true, format: "raw" }, { xml: XML.repeat(100) }, 200),
		isVirtError("OPERATION_FAILED", "new xml too large to fit in file"),
	);
});

test("a header of the other byte order reads the same", () => {
	const header = { complete: true, running: true, format: "gzip", dataLength: 70_000, cookieOffset: 4_000 } as const;
	const bytes = encodeSaveHeader(header);
	bytes.subarray(16, 36).swap32();
	assert.deepEqual(decodeSaveHeader(bytes), header);
});

test("what is no image, or none that is known, is refused in libvirt's words", () => {
	const good = encodeSaveHeader({ complete: true, running: true, format: "raw", dataLength: 100, cookieOffset: 0 });
	const changed = (change: (bytes: Buffer) => void) => {
		const bytes = Buffer.from(good);
		change(bytes);
		return () => decodeSaveHeader(bytes);
	};
	assert.throws(
		() => decodeSaveHeader(good.subarray(0, 50)),
		isVirtError("OPERATION_FAILED", "failed to read qemu header"),
	);
	assert.throws(
		changed((bytes) => bytes.write("nonsense")),
		isVirtError("OPERATION_FAILED", "image magic is incorrect"),
	);
	assert.throws(
		changed((bytes) => bytes.fill(0x7f, 16, 20)),
		isVirtError("OPERATION_FAILED", "image version is not supported"),
	);
	assert.throws(
		changed((bytes) => bytes.writeUInt32LE(0, 20)),
		isVirtError("OPERATION_FAILED", "invalid header data length: 0"),
	);
	assert.throws(
		changed((bytes) => bytes.writeUInt32LE(9, 28)),
		isVirtError("OPERATION_FAILED", "Invalid compressed save format 9"),
	);
});
