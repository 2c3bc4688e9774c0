// What a definition gets when it is defined, and what is refused with which code.

import assert from "node:assert/strict";
import test from "node:test";
import type { ErrorCode } from "@virtkit/base/errors";
import { type DomainDef, parseDomain } from "@virtkit/model/domain/domain";
import { COMMON_TYPES, type ContextOptions, defineContext } from "@virtkit/testing/define-context";
import { completeDomain } from "./complete.ts";

const TYPES = { ...COMMON_TYPES, "virtio-balloon-pci": [], PIIX4_PM: [], mch: ["extended-tseg-mbytes"] };

interface Options extends ContextOptions {
	readonly os?: string;
	/** Kind of firmware that is asked for. */
	readonly firmware?: string;
	readonly type?: string;
	readonly memory?: string;
	readonly fresh?: boolean;
}

function complete(elements: string, options: Options = {}): DomainDef {
	const { os = "", firmware, type = "qemu", arch = "x86_64", machine = "pc-i440fx-7.2" } = options;
	const { memory = elements.includes("<memory ") ? "" : "<memory unit='MiB'>512</memory>" } = options;
	const def = parseDomain(
		`<domain type='${type}'><name>guest</name>${memory}<os${firmware === undefined ? "" : ` firmware='${firmware}'`}><type arch='${arch}' machine='${machine}'>hvm</type>${os}</os>${elements}</domain>`,
	);
	const { host } = defineContext("", { types: TYPES, ...options, machine: "pc-i440fx-7.2" });
	completeDomain(def, host, { fresh: options.fresh ?? true });
	return def;
}

test("what a definition leaves open is filled in", () => {
	const def = complete("");
	assert.equal(def.uuid, "f0f5c9a4-6d1c-4a50-8a4b-5f7b1f6d2a11");
	assert.equal(def.devices.emulator, "/usr/bin/qemu-system-x86_64");
	assert.equal(def.currentMemory, 512 * 1024);
	assert.deepEqual(def.os.boot, [{ dev: "hd" }]);
	assert.deepEqual([def.on_poweroff, def.on_reboot, def.on_crash], ["destroy", "restart", "destroy"]);
	assert.deepEqual(def.clock, { offset: "utc", timer: [] });
	assert.equal(def.vcpu.count, 1);
});

test("the UUID of the SMBIOS tables is the domain's", () => {
	const uuid = "1f8ce0f3-62d0-43b1-8a0c-0c4a4a0b5d03";
	const tables = `<sysinfo type='smbios'><system><entry name='uuid'>${uuid}</entry></system></sysinfo>`;
	assert.equal(complete(tables).uuid, uuid);
	assert.throws(() => complete(`<uuid>00000000-0000-0000-0000-000000000001</uuid>${tables}`), { code: "XML_DETAIL" });
});

test("memory is the sum of the cells, and the balloon never aims above it", () => {
	const def = complete(
		"<currentMemory unit='GiB'>9</currentMemory><vcpu>2</vcpu><cpu><numa><cell cpus='0' memory='256' unit='MiB'/><cell cpus='1' memory='128' unit='MiB'/></numa></cpu>",
	);
	assert.equal(def.memory?.size, 384 * 1024);
	assert.equal(def.currentMemory, 384 * 1024);
});

test("CPUs that no cell has belong to the first", () => {
	const { cpu } = complete(
		"<vcpu>4</vcpu><cpu><numa><cell memory='256' unit='MiB'/><cell cpus='2' memory='256' unit='MiB'/></numa></cpu>",
	);
	assert.deepEqual(cpu?.numa?.cell[0]?.cpus, [0, 1, 3]);
});

test("where CPUs are told apart, each has a state and says whether it can be unplugged", () => {
	const def = complete(
		"<vcpu>3</vcpu><vcpus><vcpu id='0' enabled='yes'/><vcpu id='2' enabled='yes' hotpluggable='yes'/></vcpus>",
	);
	assert.deepEqual(
		def.vcpus.map(({ enabled, hotpluggable }) => [enabled, hotpluggable]),
		[
			[true, false],
			[false, true],
			[true, true],
		],
	);
	assert.equal(def.vcpu.current, 2);
});

test("pins of CPUs that the guest cannot have are dropped", () => {
	const { cputune } = complete(
		"<vcpu>1</vcpu><cputune><vcpupin vcpu='0' cpuset='0'/><vcpupin vcpu='5' cpuset='1'/></cputune>",
	);
	assert.deepEqual(
		cputune?.vcpupin.map(({ vcpu }) => vcpu),
		[0],
	);
});

test("read-only flash firmware gets a file for its variables", () => {
	const { os } = complete("<features><acpi/></features>", {
		os: "<loader readonly='yes' type='pflash'>/CODE.fd</loader>",
	});
	assert.equal(os.nvram?.path, "/var/lib/virtkit/nvram/guest_VARS.fd");
});

test("a CPU is checked as far as its mode and the accelerator ask for", () => {
	assert.equal(complete("<cpu mode='host-model'/>").cpu?.check, "partial");
	assert.equal(complete("<cpu mode='maximum'/>").cpu?.check, "none");
	assert.equal(complete("<cpu><model>qemu64</model></cpu>").cpu?.check, "none");
});

test("a label without a security system is the host's", () => {
	assert.deepEqual(complete("<seclabel type='dynamic'/>").seclabel, [{ type: "none", relabel: false, model: "none" }]);
});

/** A refused domain: code, what its message says, elements, and where it is. */
type Row = readonly [ErrorCode, RegExp, string, Options?];

const SMM = "<features><smm state='on'><tseg>48</tseg></smm></features>";
const REFUSED: readonly Row[] = [
	["XML_ERROR", /Memory size must be specified/, "", { memory: "" }],
	["XML_ERROR", /less than the actual memory size/, "<maxMemory slots='1'>1</maxMemory>"],
	["XML_ERROR", /both maximum memory size and memory slot count/, "<maxMemory unit='GiB'>2</maxMemory>"],
	["CONFIG_UNSUPPORTED", /At least one numa node/, "<maxMemory slots='1' unit='GiB'>2</maxMemory>"],
	["CONFIG_UNSUPPORTED", /current vCPU count 3/, "<vcpu current='3'>2</vcpu>"],
	["XML_ERROR", /vcpu id '2' is out of range/, "<vcpu>2</vcpu><vcpus><vcpu id='2' enabled='yes'/></vcpus>"],
	["CONFIG_UNSUPPORTED", /vcpu 0 can't be offline/, "<vcpu>2</vcpu><vcpus><vcpu id='1' enabled='yes'/></vcpus>"],
	[
		"INTERNAL_ERROR",
		/duplicate vcpupin/,
		"<cputune><vcpupin vcpu='0' cpuset='0'/><vcpupin vcpu='0' cpuset='1'/></cputune>",
	],
	["CONFIG_UNSUPPORTED", /Cannot find 'iothread' : 1/, "<cputune><iothreadpin iothread='1' cpuset='0'/></cputune>"],
	["CONFIG_UNSUPPORTED", /cputune 'shares' must be in range \[2, 262144\]/, "<cputune><shares>1</shares></cputune>"],
	["CONFIG_UNSUPPORTED", /nodeset for NUMA memory tuning/, "<numatune><memory mode='strict'/></numatune>"],
	["XML_ERROR", /'memnode' is invalid without/, "<numatune><memnode cellid='0' nodeset='0'/></numatune>"],
	["INTERNAL_ERROR", /exceeds the <vcpu> count/, "<cpu><numa><cell cpus='0-1' memory='512' unit='MiB'/></numa></cpu>"],
	[
		"CONFIG_UNSUPPORTED",
		/topology doesn't match.*: 2 against 1/,
		"<cpu><topology sockets='2' cores='1' threads='1'/></cpu>",
	],
	["CONFIG_UNSUPPORTED", /Maximum CPUs 999 greater than.*255/, "<vcpu>999</vcpu>"],
	["CONFIG_UNSUPPORTED", /does not support virt type 'kvm'/, "", { type: "kvm" }],
	[
		"CONFIG_UNSUPPORTED",
		/does not support machine type 'vax'/,
		"<devices><controller type='usb' model='none'/><memballoon model='none'/></devices>",
		{ machine: "vax" },
	],
	["CONFIG_UNSUPPORTED", /UEFI requires ACPI/, "", { os: "<loader readonly='yes' type='pflash'>/CODE.fd</loader>" }],
	["CONFIG_UNSUPPORTED", /'rename-restart'/, "<on_reboot>rename-restart</on_reboot>"],
	["CONFIG_UNSUPPORTED", /'reboot' doesn't support 'coredump-destroy'/, "<on_reboot>coredump-destroy</on_reboot>"],
	["CONFIG_UNSUPPORTED", /can only be used with level='3'/, "<cpu><model>a</model><cache mode='emulate'/></cpu>"],
	["CONFIG_UNSUPPORTED", /SMM TSEG is only supported with q35/, SMM],
	["CONFIG_UNSUPPORTED", /The 'hpt' feature is not supported/, "<features><hpt resizing='enabled'/></features>"],
	[
		"CONFIG_UNSUPPORTED",
		/incompatible with domain type|multiple of MiB/,
		"<features><tcg><tb-cache>5</tb-cache></tcg></features>",
	],
	["CONFIG_UNSUPPORTED", /unsupported timer type \(name\) 'platform'/, "<clock><timer name='platform'/></clock>"],
	[
		"CONFIG_UNSUPPORTED",
		/timer rtc doesn't support setting of timer mode/,
		"<clock><timer name='rtc' mode='native'/></clock>",
	],
	[
		"XML_ERROR",
		/only supported with tickpolicy='catchup'/,
		"<clock><timer name='rtc'><catchup slew='1'/></timer></clock>",
	],
	["CONFIG_UNSUPPORTED", /setting ACPI S3 not supported/, "<pm><suspend-to-mem enabled='no'/></pm>"],
	[
		"XML_DETAIL",
		/two master hugepages/,
		"<memoryBacking><hugepages><page size='2048'/><page size='1048576'/></hugepages></memoryBacking>",
	],
	[
		"XML_DETAIL",
		/hugepages: node 4 not found/,
		"<memoryBacking><hugepages><page size='2048' nodeset='4'/></hugepages></memoryBacking>",
	],
	["XML_DETAIL", /no loader path specified/, "", { os: "<loader readonly='yes'/>" }],
	[
		"XML_DETAIL",
		/loader attribute 'type' cannot be specified/,
		"<features><acpi/></features>",
		{ firmware: "efi", os: "<loader type='rom'/>" },
	],
	["XML_DETAIL", /Only pflash loader type permits NVRAM/, "", { os: "<loader type='rom' stateless='no'>/b</loader>" }],
	["CONFIG_UNSUPPORTED", /boot menu timeout/, "", { os: "<bootmenu enable='yes' timeout='65536'/>" }],
	["CONFIG_UNSUPPORTED", /Invalid firmware name 'a'/, "<sysinfo type='fwcfg'><entry name='a'>b</entry></sysinfo>"],
	["CONFIG_UNSUPPORTED", /SEV launch security/, "<launchSecurity type='sev'><policy>1</policy></launchSecurity>"],
	["XML_ERROR", /missing security model/, "<seclabel type='static'><label>a</label></seclabel>"],
	["CONFIG_UNSUPPORTED", /cachetune is only supported for KVM/, "<cputune><cachetune vcpus='0'/></cputune>"],
];

for (const [code, message, elements, options] of REFUSED)
	test(`refused with ${code}: ${message.source}`, () => {
		assert.throws(() => complete(elements, options), { code, message });
	});
