// Schemas: reading, writing, types, errors.

import assert from "node:assert/strict";
import test from "node:test";
import { integer, nonEmpty, oneOf, str, yesNo } from "./codec.ts";
import { formatElement } from "./format.ts";
import { parseXml } from "./parse.ts";
import { readElement } from "./read.ts";
import { attr, child, element, flag, type Infer, leaf, list, variants } from "./schema.ts";
import { checkRules } from "./validate.ts";

const address = variants("type", {
	pci: {
		slot: attr(integer({ min: 0, max: 31, hexDigits: 2 }), { required: true }),
		multifunction: attr(yesNo),
	},
	usb: { bus: attr(integer({ min: 0 })) },
});

const thing = element(
	{
		model: attr(oneOf("a", "b"), { required: true }),
		size: attr(integer({ min: 1 })),
		title: leaf(nonEmpty),
		boot: list(element({ dev: attr(str, { required: true }) })),
		hidden: flag(),
		address: child(address),
	},
	{
		rules: [
			{
				broken: (value) => value.model === "b" && value.size === undefined,
				code: "CONFIG_UNSUPPORTED",
				message: () => "model 'b' needs a size",
			},
		],
	},
);
type Thing = Infer<typeof thing>;

const read = (text: string, strict = false): Thing => readElement(thing, parseXml(text), { strict });

test("a document is read to a typed value and written in the declared order", () => {
	const value: Thing = read(
		"<thing size='7' model='a'><address slot='0x1f' type='pci' multifunction='yes'/><boot dev='hd'/><hidden/><title>T&amp;t</title><boot dev='cdrom'/></thing>",
	);
	assert.deepEqual(value, {
		model: "a",
		size: 7,
		title: "T&t",
		boot: [{ dev: "hd" }, { dev: "cdrom" }],
		hidden: true,
		address: { type: "pci", slot: 31, multifunction: true },
	});
	if (value.address?.type === "pci") assert.equal(value.address.slot, 31);
	assert.equal(
		formatElement("thing", thing, value),
		"<thing model='a' size='7'>\n  <title>T&amp;t</title>\n  <boot dev='hd'/>\n  <boot dev='cdrom'/>\n  <hidden/>\n  <address type='pci' slot='0x1f' multifunction='yes'/>\n</thing>\n",
	);
});

test("errors name the line, the element, the value and what is allowed", () => {
	assert.throws(
		() => read("<thing\n model='c'/>"),
		/attribute 'model' in element 'thing': 'c'\. Allowed: one of 'a', 'b' \(line 1, column 1\)/,
	);
	assert.throws(() => read("<thing/>"), {
		code: "XML_ERROR",
		message: /Missing required attribute 'model'/,
	});
	assert.throws(
		() => read("<thing model='a'>\n  <address type='isa'/></thing>"),
		/'isa'\. Allowed: one of 'pci', 'usb' \(line 2, column 3\)/,
	);
});

test("unknown elements and attributes pass unless validation is asked for", () => {
	const text = "<thing model='a' extra='1'><more/></thing>";
	assert.equal(read(text).model, "a");
	assert.throws(() => read(text, true), {
		code: "XML_INVALID_SCHEMA",
		message: /Extra attribute 'extra'/,
	});
	assert.throws(() => read("<thing model='a'><more/></thing>", true), {
		message: /Extra element 'more'/,
	});
});

test("a broken rule is an error with the rule's own code", () => {
	assert.throws(() => checkRules(thing, read("<thing model='b'/>")), {
		code: "CONFIG_UNSUPPORTED",
		message: /model 'b' needs a size/,
	});
	checkRules(thing, read("<thing model='b' size='1'/>"));
});
