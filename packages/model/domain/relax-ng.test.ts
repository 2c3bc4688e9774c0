// What is written fits libvirt's own RELAX NG schemas, where libvirt's packages have put them.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import test from "node:test";
import { fixtureDocuments } from "@virtkit/testing/fixture-documents";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import { readElement } from "@virtkit/xml/read";
import { domain, formatDomain } from "./domain.ts";

const SCHEMA = "/usr/share/libvirt/schemas/domain.rng";

/** Fixtures that guests could have; the others put every attribute of a kind together, whether they go together or not. */
const FOLDERS = ["xml/domain", "argv/domain", "argv/devices"];

const cannot = !existsSync(SCHEMA)
	? `no ${SCHEMA}`
	: spawnSync("xmllint", ["--version"]).status !== 0 && "xmllint is not installed";

test("documents are written as libvirt's RELAX NG schema has them", { skip: cannot }, () => {
	using folder = temporaryFolder();
	// Reading the schema takes seconds, so that all documents are checked in one run.
	const files = fixtureDocuments(...FOLDERS).map(({ name, root }) => {
		const file = folder.file(name.replaceAll("/", "-"));
		writeFileSync(file, formatDomain(readElement(domain, root), { inactive: true, secure: true }));
		return file;
	});
	const { status, stderr } = spawnSync("xmllint", ["--noout", "--relaxng", SCHEMA, ...files], { encoding: "utf8" });
	assert.equal(status, 0, stderr);
});
