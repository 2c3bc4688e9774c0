// XPath beside libxml2's own: what is selected, and how it is written.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { parseXml } from "./parse.ts";
import { selectNodes } from "./xpath.ts";
import { formatNode } from "./xpath-tree.ts";

const DOCUMENT = `<domain type='kvm' id='3'>
  <name>a &amp; "b"</name><title/>
  <memory unit='KiB'>65536</memory><currentMemory unit='KiB'>32768</currentMemory>
  <vcpu current="1">4</vcpu>
  <devices>
    <disk type='file' device='disk'><source file='/a&lt;b'/><target dev='vda' bus='virtio'/></disk>
    <disk type='block' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>
    <disk type='file' device='disk'><source file='/c'/><target dev='vdb' bus='virtio'/></disk>
    <interface type='user'><mac address='52:54:00:00:00:01'/></interface>
    <serial type='pty'><target port='0'/></serial>
  </devices>
  <metadata><text>mixed <b>bold</b> end</text><x:y xmlns:x='urn:x'><x:z/></x:y></metadata>
</domain>`;

const EXPRESSIONS = [
	"/domain/name",
	"//disk",
	"//disk[1]",
	"//disk[last()]",
	"//disk[@type='file'][2]",
	"//disk[@device='cdrom']/target/@dev",
	"//@dev",
	"/domain/@*",
	"//target/..",
	"//disk[source]",
	"//disk[not(source)]",
	"//disk[position()>1]/target",
	"//disk[2]/following-sibling::*",
	"//interface/preceding-sibling::disk[1]",
	"//b/ancestor::*",
	"//text",
	"//text/text()",
	"//name/text()",
	"//name|//vcpu",
	"//vcpu|//name",
	"//disk[target/@bus='virtio' and @device='disk']",
	"//disk[target/@bus='sata' or source/@file='/c']",
	"/domain/devices/*[@type='pty']",
	"//*[local-name()='z']",
	"//*[name()='x:z']",
	"//node()[self::b]",
	"//disk[contains(source/@file,'c')]",
	"//disk[starts-with(target/@dev,'s')]",
	"(//disk)[2]",
	"(//disk)[2]/target",
	"//disk[count(*)=2]",
	"//memory[. > 40000]",
	"//*[number(.) = 4]",
	"//*[@unit][. < 40000]",
	"//disk[string-length(target/@dev)=3]",
	".//serial",
	"//serial/target/@port",
	"//nothing",
	"//disk[5]",
	"//devices/descendant::target[2]",
	"//disk/descendant-or-self::*[@dev]",
	"//mac/following::*",
	"//serial/preceding::mac",
	"/",
	"//disk[normalize-space(target/@dev) = concat('vd','a')]",
	"//disk[substring(target/@dev,3,1)='b']",
	"//vcpu[. * 2 = 8]",
	"//vcpu[. div 2 = 2]",
	"//vcpu[. mod 3 = 1]",
	"//vcpu[- . = -4]",
	"//disk[translate(@type,'file','FILE')='FILE']",
	"//disk[@type!='file']",
	"//vcpu[@current <= 1]",
	"//metadata/*",
	"//disk[sum(//vcpu) = 4][1]",
	"//disk[substring-before(source/@file,'c')='/']",
];

/** libxml2's nodes, one a line; it writes them with a document's blanks, so those go on both sides. */
function libxml(expression: string): string {
	const { stdout, stderr } = spawnSync("xmllint", ["--noblanks", "--xpath", expression, "-"], { input: DOCUMENT });
	assert.doesNotMatch(stderr.toString(), /error/i, expression);
	return stdout.toString();
}

const withoutBlanks = (text: string): string =>
	text
		.replace(/^<\?xml[^>]*\?>/, "")
		.replace(/>\s+</g, "><")
		.replace(/\n/g, "")
		.trim();

test("expressions select what libxml2 selects, and it is written alike", () => {
	const document = parseXml(DOCUMENT);
	const differing = EXPRESSIONS.flatMap((expression) => {
		const ours = withoutBlanks((selectNodes(document, expression) ?? []).map((node) => formatNode(node)).join("\n"));
		const theirs = withoutBlanks(libxml(expression));
		return ours === theirs ? [] : [{ expression, ours, theirs }];
	});
	assert.deepEqual(differing, []);
});

test("what comes to no nodes is told apart, and what is no expression is refused naming it", () => {
	const document = parseXml(DOCUMENT);
	for (const expression of ["count(//disk)", "1 + 1", "'text'", "//disk = 1", "true()"])
		assert.equal(selectNodes(document, expression), undefined);
	for (const expression of [
		"//[",
		"//disk[",
		"disk]",
		"foo(",
		"foo()",
		"//x:z",
		"//disk[@]",
		"",
		"a b",
		"//disk[1",
		"count()",
		"1 | 2",
		"#",
	])
		assert.throws(() => selectNodes(document, expression), isVirtError("INVALID_ARG", "XPath"), expression);
});
