// The domain outside its devices: canonical output, what is refused and with which code.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import type { ErrorCode } from "@virtkit/base/errors";
import { type DomainDef, formatDomain, parseDomain } from "./domain.ts";

const FOLDER = join(import.meta.dirname, "../../../fixtures/xml/domain");
const fixtures = readdirSync(FOLDER).map((name) => readFileSync(join(FOLDER, name), "utf8"));

test("canonical documents are written exactly as they were read", () => {
	for (const text of fixtures)
		assert.equal(formatDomain(parseDomain(text, { strict: true, live: true }), { secure: true }), text);
});

test("what belongs to a run is in its status file alone", () => {
	const label = "<seclabel type='dynamic' model='dac' relabel='yes' implicit='yes'/>";
	const text = `<domain type='qemu' id='1'><name>x</name><memory>1</memory><os><type>hvm</type></os>${label}</domain>`;
	const def = parseDomain(text, { strict: true, live: true });
	assert.ok(formatDomain(def, { status: true }).includes(label));
	assert.ok(!formatDomain(def).includes("implicit"));
	assert.equal(parseDomain(text).seclabel[0]?.implicit, undefined);
});

/** The smallest domain, with `inside` before its devices. */
const withElements = (inside: string, attributes = "type='qemu'"): string =>
	`<domain ${attributes}><name>x</name><memory>1024</memory>${inside.includes("<os") ? "" : "<os><type>hvm</type></os>"}${inside}</domain>`;
const parse = (inside: string): DomainDef => parseDomain(withElements(inside));

test("amounts are read in any unit and kept in KiB, rounded up", () => {
	assert.equal(parse("<currentMemory unit='MB'>1</currentMemory>").currentMemory, 977);
	assert.equal(parse("<currentMemory unit='g'>2</currentMemory>").currentMemory, 2 * 1024 * 1024);
	assert.equal(parse("<currentMemory unit='bytes'>1</currentMemory>").currentMemory, 1);
});

test("a clock with an adjustment in seconds is a variable clock", () => {
	assert.deepEqual(parse("<clock offset='localtime' adjustment='-5'/>").clock, {
		offset: "variable",
		adjustment: -5,
		basis: "localtime",
		timer: [],
	});
});

test("NUMA distances count both ways", () => {
	const { cpu } = parse(
		"<cpu><numa><cell memory='1'><distances><sibling id='1' value='30'/></distances></cell><cell memory='1'/></numa></cpu>",
	);
	assert.deepEqual(
		cpu?.numa?.cell.map(({ distances }) => distances?.sibling.map(({ value }) => value)),
		[
			[10, 30],
			[30, 10],
		],
	);
});

test("a scheduler of several CPUs is kept for each of them", () => {
	const { cputune } = parse("<cputune><vcpusched vcpus='2,0-1' scheduler='idle'/></cputune>");
	assert.deepEqual(
		cputune?.vcpusched.map(({ vcpus }) => vcpus),
		[[0], [1], [2]],
	);
});

test("metadata keeps the first element of each namespace and none without one", () => {
	const { metadata } = parse("<metadata><a/><b xmlns='urn:b' n='1'/><b xmlns='urn:b' n='2'/></metadata>");
	assert.match(formatDomain({ ...parse(""), metadata }), /<metadata>\n {4}<b xmlns="urn:b" n="1"\/>\n {2}<\/metadata>/);
});

test("the id of a document counts only where it describes a running guest", () => {
	const text = withElements("", "type='qemu' id='7'");
	assert.equal(parseDomain(text).id, undefined);
	assert.equal(parseDomain(text, { strict: false, live: true }).id, 7);
});

const REFUSED: readonly (readonly [ErrorCode, string])[] = [
	["CONFIG_UNSUPPORTED", "<features><magic/></features>"],
	["CONFIG_UNSUPPORTED", "<features><hyperv><magic state='on'/></hyperv></features>"],
	["XML_ERROR", "<features><hyperv><spinlocks state='on' retries='1'/></hyperv></features>"],
	["CONFIG_UNSUPPORTED", "<clock offset='moon'/>"],
	["INTERNAL_ERROR", "<clock offset='timezone'/>"],
	["CONFIG_UNSUPPORTED", "<cpu mode='magic'/>"],
	["CONFIG_UNSUPPORTED", "<cpu mode='custom' migratable='on'/>"],
	["XML_ERROR", "<cpu><feature name='aes'/></cpu>"],
	["XML_ERROR", "<cpu><model>a</model><feature name='aes'/><feature name='aes'/></cpu>"],
	["XML_ERROR", "<cpu><numa/></cpu>"],
	["CONFIG_UNSUPPORTED", "<cpu><numa><cell cpus='0' memory='1'/><cell cpus='0' memory='1'/></numa></cpu>"],
	["CONFIG_UNSUPPORTED", "<vcpu cpuset='0,^0'>1</vcpu>"],
	["INVALID_ARG", "<vcpu cpuset='a'>1</vcpu>"],
	["INVALID_ARG", "<currentMemory unit='stone'>1</currentMemory>"],
	["OVERFLOW", "<currentMemory unit='E'>16</currentMemory>"],
	["XML_ERROR", "<currentMemory>-1</currentMemory>"],
	["INTERNAL_ERROR", "<uuid>nonsense</uuid>"],
	["XML_ERROR", "<title>two\nlines</title>"],
	["XML_DETAIL", "<seclabel type='none' model='dac'/><seclabel type='none' model='dac'/>"],
	["CONFIG_UNSUPPORTED", "<seclabel type='dynamic' model='dac' relabel='no'/>"],
	["INTERNAL_ERROR", "<keywrap><cipher name='aes' state='on'/><cipher name='aes' state='on'/></keywrap>"],
	["XML_ERROR", "<perf><event name='cmt' enabled='yes'/><event name='cmt' enabled='no'/></perf>"],
	["XML_DETAIL", "<sysinfo type='smbios'><bios><entry name='date'>31/31/2000</entry></bios></sysinfo>"],
	["CONFIG_UNSUPPORTED", "<os><type>magic</type></os>"],
	["XML_ERROR", "<os/>"],
];

for (const [code, inside] of REFUSED)
	test(`${inside.replaceAll("\n", " ")} is refused with ${code}`, () => {
		assert.throws(() => parse(inside), { code });
	});

test("a document that is no domain, or without name, is refused", () => {
	assert.throws(() => parseDomain("<network/>"), { code: "XML_ERROR", message: /<network>, expecting <domain>/ });
	assert.throws(() => parseDomain("<domain type='qemu'><os><type>hvm</type></os></domain>"), { code: "NO_NAME" });
});

test("an error names the line and column of its element", () => {
	assert.throws(() => parse("\n<vcpu placement='anywhere'>1</vcpu>"), {
		message: /'anywhere'\. Allowed: one of 'static', 'auto' \(line 2, column 1\)/,
	});
});
