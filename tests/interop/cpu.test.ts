// CPUs compared and combined, asked of this daemon and of libvirt's with the same documents.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import test from "node:test";
import { startDaemon } from "@virtkit/testing/daemon";
import { startLibvirtd } from "@virtkit/testing/oracle";

const guest = (model: string, rest = "", attributes = "match='exact'"): string =>
	`<cpu ${attributes}><model>${model}</model>${rest}</cpu>`;
const host = (model: string, rest = ""): string => `<cpu><arch>x86_64</arch><model>${model}</model>${rest}</cpu>`;

/** Documents to compare; some are wrong. */
const COMPARED: readonly string[] = [
	guest("qemu64"),
	guest("kvm64", "", "match='strict'"),
	guest("Haswell"),
	guest("EPYC"),
	guest("Opteron_G1", "<feature policy='forbid' name='sse2'/>"),
	guest("qemu64", "<feature policy='require' name='avx512f'/><feature policy='optional' name='avx2'/>"),
	guest("qemu64", "<vendor>Intel</vendor>"),
	guest("qemu64", "<vendor>AMD</vendor>"),
	guest("NoSuchModel"),
	guest("qemu64", "<feature policy='require' name='no-such-feature'/>"),
	host("Penryn", "<feature name='xop'/>"),
	host("qemu64"),
	"<cpu><arch>aarch64</arch><model>cortex-a57</model></cpu>",
	"<cpu><arch>x86_64</arch></cpu>",
	"<cpu mode='host-passthrough'/>",
	"<cpu mode='host-model'/>",
	"<notcpu/>",
	"<cpu><model>qemu64</cpu>",
];

/** Groups of documents to find a common CPU for. */
const COMBINED: readonly (readonly string[])[] = [
	[guest("qemu64")],
	[host("Haswell"), host("Nehalem")],
	[host("EPYC", "<vendor>AMD</vendor>"), host("Opteron_G3", "<vendor>AMD</vendor>")],
	[host("Haswell", "<vendor>Intel</vendor>"), host("EPYC", "<vendor>AMD</vendor>")],
	[host("Penryn", "<vendor>Intel</vendor><feature name='invtsc'/>")],
	[host("Skylake-Client"), host("Broadwell-noTSX", "<feature name='vmx'/>")],
	[guest("Westmere", "<feature policy='disable' name='aes'/>")],
	["<cpu mode='host-passthrough'/>"],
	[],
];

const SCRIPT = `
def attempt(call):
    try:
        return call()
    except libvirt.libvirtError as error:
        return [error.get_error_code()]
compared, combined = json.load(open(sys.argv[2])) if len(sys.argv) > 2 else json.load(open("INPUT"))
answers = {}
for xml in compared:
    for flags in (0, 1):
        answers["compare %d %s" % (flags, xml)] = attempt(lambda: conn.compareCPU(xml, flags))
        answers["hypervisor compare %d %s" % (flags, xml)] = attempt(lambda: conn.compareHypervisorCPU(None, None, None, "qemu", xml, flags))
for xmls in combined:
    for flags in (0, 1, 2):
        answers["baseline %d %s" % (flags, xmls)] = attempt(lambda: conn.baselineCPU(xmls, flags))
        answers["hypervisor baseline %d %s" % (flags, xmls)] = attempt(lambda: conn.baselineHypervisorCPU(None, None, None, "qemu", xmls, flags))
print(json.dumps(answers))
`;

test("CPUs compare and combine as libvirt's daemon has it", async () => {
	await using oracle = await startLibvirtd();
	await using daemon = await startDaemon();
	const input = daemon.file("cpus.json");
	writeFileSync(input, JSON.stringify([COMPARED, COMBINED]));
	const script = SCRIPT.replace("INPUT", input);
	const [ours, theirs] = await Promise.all([daemon.python(script), oracle.python(script)]);
	const [answers, expected] = [JSON.parse(ours), JSON.parse(theirs)] as Record<string, unknown>[];
	for (const [question, answer] of Object.entries(expected ?? {}))
		assert.deepEqual(answers?.[question], answer, question);
});
