// Trees, as virsh draws them.

import assert from "node:assert/strict";
import test from "node:test";
import { formatTree } from "./tree.ts";

test("children hang below their parent, and each list ends in a blank line", () => {
	const nodes = [
		{ name: "a" },
		{ name: "b", parent: "a" },
		{ name: "c", parent: "b" },
		{ name: "d", parent: "a" },
		{ name: "alone" },
	];
	assert.equal(formatTree(nodes), "a\n  |\n  +- b\n  |   |\n  |   +- c\n  |     \n  +- d\n    \nalone\n\n");
});

test("what hangs below nothing that is shown is a root", () => {
	assert.equal(formatTree([{ name: "b", parent: "a" }]), "b\n\n");
});
