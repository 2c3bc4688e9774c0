// Whole domains of the fixtures: what they are completed to, and which options their devices become.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { formatDomain, parseDomain } from "@virtkit/model/domain/domain";
import { defineContext } from "@virtkit/testing/define-context";
import { buildCommandLine } from "../command-line/build.ts";
import { CommandLine } from "../command-line/command-line.ts";
import { prepareDomain } from "../command-line/prepare.ts";
import { bootIndexesOf } from "../defaults/boot-index.ts";
import { completeDomain } from "../defaults/complete.ts";
import type { DriverHost } from "../driver-host.ts";
import type { BuildContext } from "./entry.ts";

const FOLDER = join(import.meta.dirname, "../../../fixtures/argv/devices");

/** A host whose emulator has everything but what belongs to other machines than the guest's. */
function hostFor(arch: string, machine: string): DriverHost {
	const { host, caps } = defineContext("", { arch, machine });
	Object.assign(caps, {
		has: (type: string) => (arch === "s390x" ? type !== "virtio-vga" : type !== "zpci"),
		hasSchema: () => true,
		hasOption: () => true,
		hasMachineProperty: () => true,
	});
	return { ...host, swtpm: ["1.2", "2.0"], renderNodes: ["/dev/dri/renderD128"] };
}

/** The completed document, and the options of its devices. */
function run(text: string): { document: string; options: string[] } {
	const def = parseDomain(text, { strict: true });
	const { arch = "", machine = "" } = def.os.type;
	const context = completeDomain(def, hostFor(arch, machine), { fresh: true });
	const document = formatDomain(def, { inactive: true, secure: true });
	prepareDomain(context);
	const command = new CommandLine("qemu");
	const paths = { work: "/work", monitor: "/work/monitor.sock", channels: "/channels", log: "/log" };
	const build: BuildContext = {
		...context,
		command,
		paths,
		dryRun: true,
		bootIndexes: bootIndexesOf(def),
		descriptors: new Map(),
	};
	buildCommandLine(build);
	const devices = new Set<unknown>(Object.values(def.devices).flat());
	const options = command.options
		.filter(({ origin: { element } }) => element !== undefined && devices.has(element))
		.map(({ name, value }) => (value === undefined ? name : `${name} ${value}`));
	return { document, options };
}

for (const name of readdirSync(FOLDER).filter((file) => /^[a-z]+\.xml$/.test(file))) {
	const base = join(FOLDER, name.replace(/\.xml$/, ""));

	test(`${name} is completed to the document beside it, and its devices become the options`, () => {
		const { document, options } = run(readFileSync(join(FOLDER, name), "utf8"));
		const args = `${options.join("\n")}\n`;
		if (process.env["UPDATE_FIXTURES"]) {
			writeFileSync(`${base}.complete.xml`, document);
			writeFileSync(`${base}.args`, args);
		}
		assert.equal(document, readFileSync(`${base}.complete.xml`, "utf8"));
		assert.equal(args, readFileSync(`${base}.args`, "utf8"));
	});

	test(`the guest of the completed ${name} is the same`, () => {
		const { options } = run(readFileSync(`${base}.complete.xml`, "utf8"));
		assert.equal(`${options.join("\n")}\n`, readFileSync(`${base}.args`, "utf8"));
	});
}
