// The documentation check and the check of generated pages, on small trees.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatFinding } from "./check.ts";
import { checkDocs } from "./docs.ts";
import { fakeTree } from "./fake-tree.ts";
import { checkGenerated } from "./generated.ts";
import { anchorOf } from "./markdown.ts";

const isCommand = (name: string) => ["up", "list"].includes(name);

function findings(files: Record<string, string>): string[] {
	using tree = fakeTree(files);
	return checkDocs(tree, isCommand).map(formatFinding);
}

test("links to files and headings that are there are fine, and other hosts are not asked", () => {
	const found = findings({
		"README.md": "# One\n[a](docs/a.md) [b](docs/a.md#its-own-title) [c](https://example.net/x) [d](#one) [e](docs)\n",
		"docs/a.md": "## Its *own* title\n[up](../README.md)\n```\n[no link](nowhere)\n```\n`[nor](this)`\n",
	});
	assert.deepEqual(found, []);
});

test("links to what is not there are found", () => {
	const found = findings({ "docs/a.md": "# A\n[x](b.md)\n[y](#b)\n" });
	assert.deepEqual(found, [
		"docs/a.md:2: links to b.md, which is not there",
		"docs/a.md:3: links to #b of docs/a.md, which has no such heading",
	]);
});

test("anchors are as GitHub writes them, in any script", () => {
	assert.equal(anchorOf("What `virtkit up` does, and why"), "what-virtkit-up-does-and-why");
	assert.equal(anchorOf("Cài đặt & chạy"), "cài-đặt--chạy");
});

test("a command that does not exist is found in blocks and in running text", () => {
	const found = findings({
		"README.md":
			"Run `./virtkit up`, or `./virtkit dance --slow`.\n```sh\n$ ./virtkit list --all\nsudo ./virtkit lisst # typo\n```\n",
	});
	assert.deepEqual(found, [
		"README.md:1: shows './virtkit dance --slow', but there is no command dance",
		"README.md:4: shows './virtkit lisst', but there is no command lisst",
	]);
});

test("a translation has the same headings and shows the same commands", () => {
	const original = "# A\n## B\n```\n./virtkit up # boots\n```\n";
	assert.deepEqual(
		findings({ "README.md": original, "README.vi.md": "# Á\n## Bê\n```\n./virtkit up # chạy\n```\n" }),
		[],
	);
	const found = findings({ "README.md": original, "README.vi.md": "# Á\n```\n./virtkit list\n```\n" });
	assert.deepEqual(found, [
		"README.vi.md: has other headings than README.md: # instead of # ##",
		"README.vi.md: does not show './virtkit up', which README.md shows",
		"README.vi.md: shows './virtkit list', which README.md does not",
	]);
});

test("a generated page that is missing or old is found", async () => {
	using tree = fakeTree({
		"make.ts": 'export const render = () => "new\\n";',
		"docs/old.md": "old\n",
		"docs/new.md": "new\n",
	});
	const pages = ["docs/old.md", "docs/new.md", "docs/missing.md"].map((file) => ({ file, generator: "make.ts" }));
	const found = await checkGenerated(tree, pages);
	assert.deepEqual(
		found.map(({ file }) => file),
		["docs/old.md", "docs/missing.md"],
	);
});
