// All documents of the fixtures as whole domains, for tests of what the declarations promise.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { XmlElement } from "@virtkit/xml/node";
import { parseXml } from "@virtkit/xml/parse";

const FOLDER = join(import.meta.dirname, "../../fixtures");
const AROUND = "<domain type='qemu'><name>guest</name><memory>1048576</memory><os><type>hvm</type></os></domain>";

/** A document with its file below fixtures. */
export interface FixtureDocument {
	readonly name: string;
	readonly root: XmlElement;
}

/** Those of these folders of fixtures, by name; devices that stand alone get a domain around them. */
export function fixtureDocuments(...folders: readonly string[]): FixtureDocument[] {
	return folders.flatMap((folder) =>
		readdirSync(join(FOLDER, folder), { recursive: true, encoding: "utf8" })
			.filter((file) => file.endsWith(".xml"))
			.sort()
			.map((file) => ({ name: `${folder}/${file}`, root: read(join(FOLDER, folder, file)) })),
	);
}

function read(file: string): XmlElement {
	const root = parseXml(readFileSync(file, "utf8"));
	if (root.name === "domain") return root;
	const around = parseXml(AROUND);
	return { ...around, children: [...around.children, root] };
}
