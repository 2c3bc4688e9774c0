// What virsh tells of guests that run and that do not, here and at libvirtd: the same lines, but for figures.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { after, before, test } from "node:test";
import { connect } from "@virtkit/client/sdk/connection";
import { startDaemon, type TestDaemon } from "@virtkit/testing/daemon";
import { isVirtError } from "@virtkit/testing/expect-error";
import { type Oracle, startLibvirtd } from "@virtkit/testing/oracle";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";

let virtkit: TestDaemon;
let libvirtd: Oracle;
const folders = [temporaryFolder("vk-w-"), temporaryFolder("vk-w-")] as const;

const guest = (name: string, folder: string): string => `<domain type='qemu'>
	<name>${name}</name><memory unit='MiB'>64</memory><vcpu current='2'>3</vcpu><iothreads>2</iothreads>
	<os><type machine='q35'>hvm</type></os><features><acpi/></features>
	<cputune><vcpupin vcpu='0' cpuset='0'/></cputune>
	<devices>
		<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${folder}/${name}.qcow2'/><target dev='vda' bus='virtio'/></disk>
		<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
		<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
		<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
		<memballoon model='virtio'><stats period='1'/></memballoon>
		<graphics type='vnc' socket='${folder}/${name}.vnc'/>
	</devices>
</domain>`;

before(async () => {
	[virtkit, libvirtd] = await Promise.all([startDaemon(), startLibvirtd()]);
	await Promise.all(
		[virtkit, libvirtd].map(async (daemon, index) => {
			const { path } = folders[index] as (typeof folders)[0];
			chmodSync(path, 0o777);
			execFileSync("truncate", ["-s", "8M", `${path}/base`]);
			for (const name of ["on", "off"]) {
				const image = ["-f", "qcow2", "-b", `${path}/base`, "-F", "raw", `${path}/${name}.qcow2`];
				execFileSync("qemu-img", ["create", "-q", ...image]);
				await daemon.virshWith(guest(name, path), "define");
			}
			await daemon.virsh("start", "on", "--paused");
		}),
	);
});

after(async () => {
	await virtkit?.[Symbol.asyncDispose]();
	await libvirtd?.[Symbol.asyncDispose]();
	for (const folder of folders) folder[Symbol.dispose]();
});

/** What a command says, without places, and without figures unless told so. */
async function said(index: 0 | 1, line: string, figures: boolean): Promise<string> {
	const daemon = index === 0 ? virtkit : libvirtd;
	const { code, stdout, stderr } = await daemon.tryVirsh(...line.split(" "));
	const text = `${code}\n${stdout}${stderr}`.replaceAll(folders[index].path, "DIR");
	return figures ? text : text.replace(/([=: ] *)-?[\d.]+( \w+|s)?$/gm, "$1N");
}

/** Answers that are the same to the last figure. */
const EXACT: Readonly<Record<string, readonly string[]>> = {
	"control and errors": ["domcontrol on", "domcontrol off", "domblkerror on", "domblkerror off"],
	states: ["domstate on --reason", "domstate off --reason", "domjobinfo on", "domjobinfo off", "dominfo on --nothing"],
	interfaces: [
		"domiflist on",
		"domiflist off",
		"domif-getlink on 52:54:00:00:00:01",
		"domifstat on vnet7",
		"domiftune off 52:54:00:00:00:01",
	],
	addresses: ["domifaddr on", "domifaddr on --source lease --full", "domifaddr on --source agent", "domifaddr off"],
	disks: [
		"domblklist on --details",
		"domblkstat off vda",
		"domblkstat on vdz",
		"domblkinfo on vda",
		"domblkinfo off vda",
		"domblkinfo on sda",
		"blkdeviotune on vda",
		"blkdeviotune off sda",
	],
	CPUs: [
		"vcpucount on",
		"vcpucount off",
		"vcpucount on --guest",
		"vcpuinfo off",
		"vcpupin on",
		"emulatorpin on",
		"cpu-stats off",
		"iothreadinfo on",
		"iothreadinfo off",
		"schedinfo off",
	],
	memory: ["dommemstat off", "numatune on", "memtune off", "blkiotune off", "domdirtyrate-calc off"],
	"the guest's agent, which does not answer": [
		"guestinfo on",
		"guestinfo off",
		"domtime on",
		"domtime off",
		"domfsinfo on",
		"domhostname on --source agent",
		'qemu-agent-command on {"execute":"guest-ping"}',
		"domfsfreeze on",
		"domfsthaw on",
		"domfstrim on",
		"set-user-password on root x",
		"guestvcpus on",
		"setvcpus on 1 --guest",
	],
	// With -q virsh lists no counters: the stored definition and the statistics show them.
	"performance counters": [
		"perf on",
		"perf on --enable cmt",
		"perf on --enable nonsense",
		"perf on --enable task_clock --config",
		"perf off --enable page_faults,task_clock",
		"dumpxml off --inactive --xpath /domain/perf",
		"perf off --disable task_clock --config",
		"dumpxml off --inactive --xpath /domain/perf",
		"perf off --live",
	],
};

/** Answers that differ in figures alone. */
const SHAPE: Readonly<Record<string, readonly string[]>> = {
	statistics: ["domstats on --raw", "domstats on --raw --backing", "domstats on --raw --nowait"],
	"counted statistics": [
		"perf on --enable task_clock,page_faults",
		"domstats on --perf",
		"perf on --disable page_faults --live",
		"domstats on --perf",
		"dumpxml on --xpath /domain/perf",
	],
	"single statistics": ["domblkstat on vda", "domblkstat on", "dommemstat on", "domblkinfo on --all"],
	"vCPUs as threads": ["vcpuinfo on", "vcpuinfo on --pretty"],
};

async function differences(lines: readonly string[], figures: boolean): Promise<string[]> {
	const found: string[] = [];
	for (const line of lines) {
		const [ours, theirs] = await Promise.all([said(0, line, figures), said(1, line, figures)]);
		if (ours !== theirs) found.push(`${line}\n--- libvirtd\n${theirs}--- virtkit\n${ours}`);
	}
	return found;
}

for (const [what, lines] of Object.entries(EXACT))
	test(`${what}: virsh is told the same, word for word`, async () => {
		const found = await differences(lines, true);
		assert.equal(found.length, 0, found.join("\n"));
	});

for (const [what, lines] of Object.entries(SHAPE))
	test(`${what}: virsh is told the same, but for figures`, async () => {
		const found = await differences(lines, false);
		assert.equal(found.length, 0, found.join("\n"));
	});

test("counters are kept, from nought, by a daemon that finds its guests again", async () => {
	await virtkit.virsh("perf", "on", "--enable", "context_switches");
	await virtkit.stop("SIGKILL");
	await virtkit.start();
	assert.match(await virtkit.virsh("domstats", "on", "--perf"), /^ {2}perf\.context_switches=\d+$/m);
	assert.match(await virtkit.virsh("dumpxml", "on"), /<event name='context_switches' enabled='yes'\/>/);
});

test("the SDK turns counters on and off", async () => {
	await using connection = await connect(virtkit.uri);
	const domain = await connection.domains.get("on");
	await domain.setPerfEvents({ page_faults_min: true, context_switches: false }, { live: true });
	const { page_faults_min, context_switches, cmt } = await domain.perfEvents();
	assert.deepEqual([page_faults_min, context_switches, cmt], [true, false, false]);
	await assert.rejects(domain.setPerfEvents({ cmt: true }), isVirtError("ARGUMENT_UNSUPPORTED", "cmt"));
});

test("a guest whose definition asks for what the host cannot count does not start, and leaves nothing", async () => {
	for (const daemon of [virtkit, libvirtd]) {
		await daemon.virsh("perf", "off", "--enable", "mbmt", "--config");
		const { code, stderr } = await daemon.tryVirsh("start", "off");
		assert.match(`${code} ${stderr}`, /^1 .*argument unsupported: unable to enable host cpu perf event for mbmt/s);
		assert.equal((await daemon.virsh("domstate", "off")).trim(), "shut off");
	}
});
