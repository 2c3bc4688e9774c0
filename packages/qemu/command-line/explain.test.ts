// Where the options of a guest are said to come from.

import assert from "node:assert/strict";
import test from "node:test";
import { parseDomain } from "@virtkit/model/domain/domain";
import { COMMON_TYPES, defineContext } from "@virtkit/testing/define-context";
import { completeDomain } from "../defaults/complete.ts";
import type { ExplainedOption } from "./explain.ts";
import { explainDomain } from "./native.ts";

const TEXT = `<domain type='qemu'>
  <name>guest</name>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>
  <devices>
    <console type='pty'/>
    <disk type='file'>
      <source file='/d'/><target dev='vda'/>
    </disk>
    <memballoon model='none'/>
  </devices>
</domain>`;

function explain(): ExplainedOption[] {
	const { host } = defineContext("", { types: { ...COMMON_TYPES, "isa-serial": [] } });
	const def = parseDomain(TEXT);
	completeDomain(def, host, { fresh: true });
	return (JSON.parse(explainDomain(def, host)) as { options: ExplainedOption[] }).options;
}

test("options name their element with its line, or the rule that made them", () => {
	const options = explain();
	const find = (value: string): Partial<ExplainedOption> => options.find((each) => each.value?.includes(value)) ?? {};
	assert.deepEqual([find('"virtio-blk-pci"').what, find('"virtio-blk-pci"').line], ["disk virtio-disk0", 7]);
	assert.deepEqual([find('"id":"pc.ram"').what, find('"id":"pc.ram"').line], ["memory", 3]);
	assert.deepEqual([find("pty,id=charserial0").what, find("pty,id=charserial0").line], ["serial serial0", 6]);
	assert.equal(find("piix3-usb-uhci").line, undefined);
	assert.match(options.find(({ name }) => name === "-S")?.what ?? "", /paused/);
	assert.ok(options.every(({ what }) => what !== "always"));
});
