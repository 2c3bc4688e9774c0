// Reading and writing checkpoint documents.

import assert from "node:assert/strict";
import test from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { formatCheckpoint, parseCheckpoint } from "./checkpoint.ts";

const NEW = { redefine: false, now: 1700000000 } as const;
const KEPT = { ...NEW, redefine: true } as const;

test("a new checkpoint is named after its time unless it has a name, and has no past of its own", () => {
	const text = "<domaincheckpoint><parent><name>p</name></parent><creationTime>5</creationTime></domaincheckpoint>";
	assert.deepEqual(parseCheckpoint(text, NEW), { name: "1700000000", creationTime: 1700000000, disks: [] });
});

test("a checkpoint that is there already is written as it was read", () => {
	const text = `<domaincheckpoint>
  <name>one</name>
  <description>before the change</description>
  <parent>
    <name>zero</name>
  </parent>
  <creationTime>1600000000</creationTime>
  <disks>
    <disk name='vda' checkpoint='bitmap' bitmap='one' size='65536'/>
    <disk name='hda' checkpoint='no'/>
  </disks>
</domaincheckpoint>
`;
	const def = parseCheckpoint(text, KEPT);
	assert.equal(formatCheckpoint(def), text);
	const stored = formatCheckpoint({ ...def, active: 1 }, { status: true });
	assert.equal(parseCheckpoint(stored, { ...KEPT, stored: true }).active, 1);
	assert.throws(() => parseCheckpoint(stored, KEPT), isVirtError("XML_INVALID_SCHEMA", ""));
});

test("a checkpoint without what it needs is refused", () => {
	const refused = (body: string, code: Parameters<typeof isVirtError>[0], reading: typeof NEW | typeof KEPT = NEW) =>
		assert.throws(
			() => parseCheckpoint(`<domaincheckpoint>${body}</domaincheckpoint>`, reading),
			isVirtError(code, ""),
			body,
		);
	refused("<name>a/b</name>", "XML_INVALID_SCHEMA");
	refused("<name>.a</name>", "XML_INVALID_SCHEMA");
	refused("<disks><disk/></disks>", "XML_INVALID_SCHEMA");
	refused("<disks><disk name='vda' checkpoint='maybe'/></disks>", "XML_INVALID_SCHEMA");
	refused("<disks><disk name='vda' checkpoint='no' bitmap='a'/></disks>", "XML_INVALID_SCHEMA");
	refused("", "XML_ERROR", KEPT);
	refused("<name>a</name>", "INTERNAL_ERROR", KEPT);
});
