// Makes small trees of files for tests of the checks.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { openTree, type Tree } from "./tree.ts";

/** A tree with these files, gone at the end of the scope. */
export function fakeTree(files: Readonly<Record<string, string>>): Tree & Disposable {
	const root = mkdtempSync(join(tmpdir(), "vt-tree-"));
	for (const [file, text] of Object.entries(files)) {
		mkdirSync(dirname(join(root, file)), { recursive: true });
		writeFileSync(join(root, file), text);
	}
	return { ...openTree(root), [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) };
}
