// What the parser takes, what it makes of it, and what it refuses, with the place.

import assert from "node:assert/strict";
import test from "node:test";
import { VirtError } from "@virtkit/base/errors";
import { elementsOf, textOf } from "./node.ts";
import { parseXml } from "./parse.ts";

test("text keeps its references resolved, its line ends as newlines, and CDATA as it stands", () => {
	const root = parseXml("\ufeff<a>1 &lt;&#x41;&#66;&amp; đĩa 😀\r\n2\r3<![CDATA[<x>&amp;]]]]><!-- no --> ]] ></a>\n");
	assert.equal(textOf(root), "1 <AB& đĩa 😀\n2\n3<x>&amp;]] ]] >");
});

test("attribute values have blanks as spaces and references as what they stand for", () => {
	const root = parseXml(`<a b="it's" c='say "x"' d='1\t2\r\n3&#10;4' e="" é="&quot;&apos;&gt;"/>`);
	assert.deepEqual(root.attributes, { b: "it's", c: 'say "x"', d: "1 2 3\n4", e: "", é: "\"'>" });
});

test("elements carry the namespace that stands where they are, and the place of their start tag", () => {
	const root = parseXml("<a xmlns='one'\n  xmlns:p='two'>\n <b/><p:c><d xmlns=''/></p:c>\n</a><!-- end --><?end?>");
	const [b, c] = elementsOf(root);
	assert.deepEqual([root.uri, b?.uri, c?.uri, c?.local, c?.name], ["one", "one", "two", "c", "p:c"]);
	assert.deepEqual([b?.line, b?.column, c?.line, c?.column], [3, 2, 3, 6]);
	const [d] = elementsOf(c ?? root);
	assert.ok(d && !("uri" in d));
});

test("an XML declaration and instructions are read over", () => {
	for (const head of [
		"<?xml version='1.0'?>",
		`<?xml version="1.0" encoding='utf-8' standalone="no" ?>\n<?style x="?" ?>`,
	])
		assert.equal(parseXml(`${head}<a/>`).name, "a");
});

const REFUSED: readonly (readonly [text: string, place: string, reason: string])[] = [
	["", "1:1", "document must contain a root element."],
	[" <!-- x -->", "1:12", "document must contain a root element."],
	["x<a/>", "1:2", "text data outside of root node."],
	["<a/>\nx", "2:2", "text data outside of root node."],
	["<![CDATA[x]]><a/>", "1:3", "text data outside of root node."],
	["<a/><b/>", "1:8", "documents may contain only one root."],
	["<a>\n<b>", "2:4", "unclosed tag: b"],
	["<a b='1'", "1:9", "unexpected end."],
	["<a><b></a>", "1:11", "unexpected close tag."],
	["<a/></a>", "1:9", "unmatched closing tag: a."],
	["<a></>", "1:7", "weird empty close tag."],
	["<a></a b>", "1:9", "disallowed character in closing tag."],
	["<a>< b/></a>", "1:6", "disallowed character in tag name"],
	["<a+b/>", "1:4", "disallowed character in tag name."],
	["<a/ >", "1:5", "forward-slash in opening tag not followed by >."],
	["<a b/>", "1:6", "disallowed character in attribute name."],
	["<a b>", "1:6", "attribute without value."],
	["<a b c='1'/>", "1:7", "attribute without value."],
	["<a b=1/>", "1:7", "unquoted attribute value."],
	["<a b='<'/>", "1:8", "disallowed character."],
	["<a b='1'c='2'/>", "1:10", "no whitespace between attributes."],
	["<a b='1' b='2'/>", "1:17", "duplicate attribute: b."],
	["<a b='1'+/>", "1:10", "disallowed character in attribute name."],
	["<a>]]></a>", "1:7", 'the string "]]>" is disallowed in char data.'],
	["<a>\u0001</a>", "1:5", "disallowed character."],
	["<a>\ud800</a>", "1:5", "disallowed character."],
	["<a>\ufffe</a>", "1:5", "disallowed character."],
	["<a>&nope;</a>", "1:10", "undefined entity."],
	["<a>&;</a>", "1:6", "empty entity name."],
	["<a>& b;</a>", "1:8", "disallowed character in entity name."],
	["<a>&#0;</a>", "1:8", "malformed character entity."],
	["<a>&#x110000;</a>", "1:14", "malformed character entity."],
	["<a><!-- -- --></a>", "1:12", "malformed comment."],
	["<a><!ELEMENT x></a>", "1:13", "incorrect syntax."],
	["<a><? x?></a>", "1:7", "processing instruction without a target."],
	["<a><?1?></a>", "1:7", "disallowed character in processing instruction name."],
	["<a><?xml version='1.0'?></a>", "1:10", "an XML declaration must be at the start of the document."],
	["<p:a/>", "1:7", 'unbound namespace prefix: "p".'],
	["<a p:b='1'/>", "1:13", 'unbound namespace prefix: "p".'],
	["<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>", "1:45", "duplicate attribute: {u}b."],
	["<a xmlns:p=''/>", "1:14", "invalid attempt to undefine prefix in XML 1.0"],
	["<a xmlns:xml='u'/>", "1:17", "xml prefix must be bound to http://www.w3.org/XML/1998/namespace."],
	["<a :b='1'/>", "1:10", "malformed name: :b."],
	["<a:b:c/>", "1:9", "malformed name: a:b:c."],
	["<!DOCTYPE a [<!ENTITY x 'y'>]><a/>", "1:3", "a document type declaration is not allowed"],
];

test("what is not well-formed is refused with its place and the reason", () => {
	for (const [text, place, reason] of REFUSED)
		assert.throws(
			() => parseXml(text, "it"),
			(error) => {
				assert.ok(error instanceof VirtError);
				const [line, column] = place.split(":");
				assert.equal(error.message, `it, line ${line}, column ${column}: ${reason}`, JSON.stringify(text));
				assert.equal(error.code, "XML_DETAIL");
				return true;
			},
		);
});

test("a malformed XML declaration is refused", () => {
	for (const rest of [
		"",
		" encoding='x'",
		" version='2'",
		" version='1.0'encoding='x'",
		" version='1.0' standalone='x'",
	])
		assert.throws(() => parseXml(`<?xml${rest}?><a/>`), /line 1, column 6: the XML declaration must hold a version/);
});

test("size and depth have their limits", () => {
	const limits = { size: 100, depth: 3 };
	assert.equal(parseXml("<a><b><c/></b></a>", "it", limits).name, "a");
	assert.throws(() => parseXml("<a><b><c><d/></c></b></a>", "it", limits), /column 13: elements nest deeper than 3/);
	assert.throws(() => parseXml(`<a>${"x".repeat(100)}</a>`, "it", limits), /107 characters, more than the 100 allowed/);
});
