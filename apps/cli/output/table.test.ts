// Tables in virsh's layout.

import assert from "node:assert/strict";
import test from "node:test";
import { displayWidth, formatTable } from "./table.ts";

test("columns are as wide as their widest cell, the last one is not padded", () => {
	assert.equal(
		formatTable(["Id", "Name", "State"], [["1", "test", "running"]]),
		" Id   Name   State\n----------------------\n 1    test   running\n",
	);
	assert.equal(formatTable(["Id", "Name"], []), " Id   Name\n------------\n");
});

test("width counts what a terminal shows", () => {
	assert.equal(displayWidth("máy ảo"), 6);
	assert.equal(displayWidth("仮想"), 4);
	assert.equal(displayWidth("e\u0301"), 1);
});
