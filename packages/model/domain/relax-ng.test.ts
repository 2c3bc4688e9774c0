// What is written fits libvirt's own RELAX NG schemas, where libvirt's packages have put them.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { formatDomain, parseDomain } from "./domain.ts";

const SCHEMA = "/usr/share/libvirt/schemas/domain.rng";
const ROOT = join(import.meta.dirname, "../../../fixtures");
/** Fixtures that guests could have; the others put every attribute of a kind together, whether they go together or not. */
const FOLDERS = ["xml/domain"];

function canValidate(): boolean {
	return existsSync(SCHEMA) && spawnSync("xmllint", ["--version"]).status === 0;
}

/** Documents of the fixtures: whole domains, and devices in a domain around them. */
function documents(): [string, string][] {
	return FOLDERS.flatMap((folder) =>
		readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
			.filter((name) => name.endsWith(".xml"))
			.map((name): [string, string] => {
				const text = readFileSync(join(ROOT, folder, name), "utf8");
				return [name, text.startsWith("<devices>") ? inDomain(text) : text];
			}),
	);
}

const inDomain = (devices: string): string =>
	`<domain type='kvm'><name>x</name><memory>1048576</memory><os><type arch='x86_64'>hvm</type></os>${devices}</domain>`;

/** What xmllint says of `text`; undefined where it fits. */
function violation(text: string): string | undefined {
	try {
		execFileSync("xmllint", ["--noout", "--relaxng", SCHEMA, "-"], { input: text, stdio: ["pipe", "ignore", "pipe"] });
		return undefined;
	} catch (error) {
		return String((error as { stderr?: unknown }).stderr);
	}
}

test("documents are written as libvirt's RELAX NG schema has them", { skip: !canValidate() }, () => {
	for (const [name, text] of documents()) {
		const written = formatDomain(parseDomain(text), { inactive: true, secure: true });
		assert.equal(violation(written), undefined, `${name}:\n${written}`);
	}
});
