// Writing documents: layout, quoting, foreign elements.

import assert from "node:assert/strict";
import test from "node:test";
import { childNamed, withNamespaces, type XmlElement } from "./node.ts";
import { parseXml } from "./parse.ts";
import { escapeXml, writeForeignXml, writeXml } from "./write.ts";

const metadataOf = (text: string): XmlElement => {
	const found = childNamed(parseXml(text), "metadata");
	assert.ok(found);
	return found;
};

test("a document is laid out anew with two spaces a level and single quotes", () => {
	const text = `<a x="1"><b/><c>text</c>\n\n<d><e/></d></a>`;
	assert.equal(writeXml(parseXml(text)), "<a x='1'>\n  <b/>\n  <c>text</c>\n  <d>\n    <e/>\n  </d>\n</a>\n");
});

test("an element that mixes text and elements is kept to the letter", () => {
	assert.equal(writeXml(parseXml("<a>one <b>two</b> three</a>")), "<a>one <b>two</b> three</a>\n");
});

test("special characters become entities and control characters are dropped", () => {
	assert.equal(escapeXml(`<&>'"\u0001a\n`), "&lt;&amp;&gt;&apos;&quot;a\n");
});

test("foreign elements are written as libxml2 writes them", () => {
	const text = `<m b='"1"' xmlns:x='urn:x' a='&#10;'><x:y>'&lt;"</x:y></m>`;
	assert.equal(
		writeForeignXml(parseXml(text)),
		`<m xmlns:x="urn:x" b="&quot;1&quot;" a="&#10;">\n  <x:y>'&lt;"</x:y>\n</m>\n`,
	);
});

test("a part of a document takes the namespaces with it that stand further up", () => {
	const part = metadataOf(
		"<d xmlns:app='urn:app'><metadata><app:note><inner xmlns='urn:i'/></app:note></metadata></d>",
	);
	const text = writeForeignXml(withNamespaces(part));
	assert.equal(parseXml(text).attributes["xmlns:app"], "urn:app");
	assert.match(text, /<metadata xmlns:app="urn:app">/);
});
