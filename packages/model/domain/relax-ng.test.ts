// What is written fits libvirt's own RELAX NG schemas, where libvirt's packages have put them.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
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

test("documents are written as libvirt's RELAX NG schema has them", { skip: !canValidate() }, () => {
	using folder = temporaryFolder();
	// Reading the schema takes seconds, so that all documents are checked in one run.
	const files = documents().map(([name, text]) => {
		const file = folder.file(name.replaceAll("/", "-"));
		writeFileSync(file, formatDomain(parseDomain(text), { inactive: true, secure: true }));
		return file;
	});
	const { status, stderr } = spawnSync("xmllint", ["--noout", "--relaxng", SCHEMA, ...files], { encoding: "utf8" });
	assert.equal(status, 0, stderr);
});
