// What elements of a domain outside its devices become on the command line.

import assert from "node:assert/strict";
import test from "node:test";
import { type DomainDef, parseDomain } from "@virtkit/model/domain/domain";
import { type ContextOptions, defineContext } from "@virtkit/testing/define-context";
import { bootIndexesOf } from "../defaults/boot-index.ts";
import type { BuildContext } from "../devices/entry.ts";
import { buildBoot } from "./boot.ts";
import { buildClock } from "./clock.ts";
import { CommandLine } from "./command-line.ts";
import { buildCpu } from "./cpu.ts";
import { buildExtra, overrideDevice } from "./extra.ts";
import { buildFlash, buildLoader } from "./firmware.ts";
import { formatShell, quoteShell } from "./format-shell.ts";
import { buildGenerationId, buildName } from "./identity.ts";
import { buildAccelerator, buildMachine, buildTseg } from "./machine.ts";
import { buildMemory } from "./memory.ts";
import { buildNuma } from "./numa.ts";
import { buildPowerManagement } from "./power.ts";
import { buildLaunchSecurity, buildVmCoreInfo } from "./security.ts";
import { buildFirmwareData, buildSmbios } from "./smbios.ts";
import { buildIOThreads, buildSmp } from "./smp.ts";

interface Row extends ContextOptions {
	readonly title: string;
	readonly part: (context: BuildContext) => void;
	/** Elements of the domain. */
	readonly elements?: string;
	/** Content of <os> after its type. */
	readonly os?: string;
	readonly type?: "qemu" | "kvm";
	readonly host?: Partial<BuildContext["host"]>;
	readonly becomes: readonly string[];
}

const TYPES = {
	"max-x86_64-cpu": ["migratable", "host-cache-info", "l3-cache"],
	"kvm-pit": ["lost_tick_policy"],
	"ICH9-LPC": ["disable_s3", "disable_s4"],
	PIIX4_PM: ["disable_s3", "disable_s4"],
	"memory-backend-file": ["x-use-canonical-path-for-ramblock-id"],
	"memory-backend-memfd": ["hugetlb", "x-use-canonical-path-for-ramblock-id"],
};

function contextOf(row: Omit<Row, "title" | "part" | "becomes">): BuildContext {
	const { type = "qemu", os = "", machine = "pc-i440fx-7.2", elements = "", arch = "x86_64" } = row;
	const base = defineContext("", { types: TYPES, ...row, elements: "" });
	const memory = elements.includes("<memory ") ? "" : "<memory unit='MiB'>512</memory>";
	const def: DomainDef = parseDomain(
		`<domain type='${type}' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>guest,1</name>${memory}<os><type arch='${arch}' machine='${machine}'>hvm</type>${os}</os>${elements}</domain>`,
	);
	return {
		...base,
		def,
		host: { ...base.host, ...row.host },
		command: new CommandLine("/usr/bin/qemu-system-x86_64"),
		paths: { work: "/work", monitor: "/work/monitor.sock", channels: "/channels", log: "/log" },
		dryRun: true,
		bootIndexes: bootIndexesOf(def),
		descriptors: new Map(),
	};
}

function optionsOf(row: Row): string[] {
	const context = contextOf(row);
	row.part(context);
	return context.command.options.map(({ name, value }) => (value === undefined ? name : `${name} ${value}`));
}

const NUMA =
	"<vcpu>2</vcpu><cpu><numa><cell id='0' cpus='0' memory='256' unit='MiB'/><cell id='1' cpus='1' memory='256' unit='MiB'/></numa></cpu>";

const ROWS: readonly Row[] = [
	{
		title: "commas of a name are doubled",
		part: buildName,
		becomes: ["-name guest=guest,,1,process=qemu:guest,1,debug-threads=on"],
	},
	{
		title: "features of the machine follow its name",
		part: buildMachine,
		machine: "pc-q35-7.2",
		elements: "<features><vmport state='off'/><smm state='on'/><ioapic driver='qemu'/></features>",
		becomes: [
			"-machine pc-q35-7.2,usb=off,vmport=off,smm=on,kernel_irqchip=split,dump-guest-core=off,memory-backend=pc.ram",
		],
	},
	{
		title: "translated code may take as much memory as is said",
		part: buildAccelerator,
		elements: "<features><tcg><tb-cache unit='MiB'>128</tb-cache></tcg></features>",
		becomes: ["-accel tcg,tb-size=128"],
	},
	{
		title: "KVM tracks written pages in a ring",
		part: buildAccelerator,
		type: "kvm",
		elements: "<features><kvm><dirty-ring state='on' size='4096'/></kvm></features>",
		becomes: ["-accel kvm,dirty-ring-size=4096"],
	},
	{
		title: "the memory of system management mode is told in MiB",
		part: buildTseg,
		elements: "<features><smm state='on'><tseg unit='MiB'>48</tseg></smm></features>",
		becomes: ["-global mch.extended-tseg-mbytes=48"],
	},
	{
		title: "features of a CPU are switched by QEMU's names",
		part: buildCpu,
		elements:
			"<cpu><model>EPYC</model><feature name='cmp_legacy'/><feature policy='disable' name='svm'/><feature policy='optional' name='aes'/></cpu>",
		becomes: ["-cpu EPYC,cmp-legacy=on,svm=off"],
	},
	{
		title: "the host's CPU is passed on, with its caches",
		part: buildCpu,
		type: "kvm",
		elements: "<cpu mode='host-passthrough' migratable='on'><cache mode='passthrough'/></cpu>",
		becomes: ["-cpu host,migratable=on,host-cache-info=on,l3-cache=off"],
	},
	{
		title: "enlightenments and timers need a CPU",
		part: buildCpu,
		elements:
			"<features><hyperv><relaxed state='on'/><spinlocks state='on' retries='8191'/><stimer state='on'><direct state='on'/></stimer><vendor_id state='on' value='me'/></hyperv><kvm><hidden state='on'/></kvm></features><clock offset='utc'><timer name='hypervclock' present='yes'/></clock>",
		becomes: [
			"-cpu qemu64,hv-time=on,hv-relaxed=on,hv-spinlocks=0x1fff,hv-stimer=on,hv-stimer-direct=on,hv-vendor-id=me,kvm=off",
		],
	},
	{
		title: "memory is an object of its own",
		part: buildMemory,
		becomes: [
			"-m 512",
			`-object {"qom-type":"memory-backend-ram","id":"pc.ram","size":536870912}`,
			"-overcommit mem-lock=off",
		],
	},
	{
		title: "memory that can be plugged is told in KiB, with slots",
		part: buildMemory,
		elements: `<maxMemory slots='16' unit='KiB'>1048576</maxMemory>${NUMA}`,
		becomes: ["-m size=524288k,slots=16,maxmem=1048576k", "-overcommit mem-lock=off"],
	},
	{
		title: "huge pages back memory from their own file system",
		part: buildMemory,
		elements: "<memoryBacking><hugepages/><locked/></memoryBacking>",
		host: { hugepages: [{ kib: 2048, mount: "/dev/hugepages", isDefault: true }] },
		becomes: [
			"-m 512",
			`-object {"qom-type":"memory-backend-file","id":"pc.ram","mem-path":"/dev/hugepages/libvirt/qemu/-1-guest,1","x-use-canonical-path-for-ramblock-id":false,"prealloc":true,"size":536870912}`,
			"-overcommit mem-lock=on",
		],
	},
	{
		title: "shared memory can be a memfd",
		part: buildMemory,
		elements: "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>",
		becomes: [
			"-m 512",
			`-object {"qom-type":"memory-backend-memfd","id":"pc.ram","share":true,"x-use-canonical-path-for-ramblock-id":false,"size":536870912}`,
			"-overcommit mem-lock=off",
		],
	},
	{
		title: "CPUs are counted and shaped",
		part: buildSmp,
		elements: "<vcpu current='2'>4</vcpu><cpu><topology sockets='1' cores='2' threads='2'/></cpu>",
		becomes: ["-smp 2,maxcpus=4,sockets=1,cores=2,threads=2"],
	},
	{
		title: "CPUs that can be unplugged are not there at start",
		part: buildSmp,
		elements:
			"<vcpu>2</vcpu><vcpus><vcpu id='0' enabled='yes' hotpluggable='no'/><vcpu id='1' enabled='yes' hotpluggable='yes'/></vcpus>",
		becomes: ["-smp 1,maxcpus=2,sockets=2,cores=1,threads=1"],
	},
	{
		title: "I/O threads are objects",
		part: buildIOThreads,
		elements: "<iothreadids><iothread id='3' thread_pool_max='8'/></iothreadids>",
		becomes: [`-object {"qom-type":"iothread","id":"iothread3","thread-pool-max":8}`],
	},
	{
		title: "NUMA cells without wishes share one memory",
		part: buildNuma,
		elements: NUMA,
		becomes: ["-numa node,nodeid=0,cpus=0,mem=256", "-numa node,nodeid=1,cpus=1,mem=256"],
	},
	{
		title: "NUMA cells bound to host nodes have objects",
		part: buildNuma,
		elements: `${NUMA}<numatune><memory mode='preferred' nodeset='0'/><memnode cellid='1' mode='strict' nodeset='0'/></numatune>`,
		becomes: [
			`-object {"qom-type":"memory-backend-ram","id":"ram-node0","size":268435456,"host-nodes":[0],"policy":"preferred"}`,
			"-numa node,nodeid=0,cpus=0,memdev=ram-node0",
			`-object {"qom-type":"memory-backend-ram","id":"ram-node1","size":268435456,"host-nodes":[0],"policy":"bind"}`,
			"-numa node,nodeid=1,cpus=1,memdev=ram-node1",
		],
	},
	{
		title: "SMBIOS tables are those of the definition",
		part: buildSmbios,
		os: "<smbios mode='sysinfo'/>",
		elements:
			"<sysinfo type='smbios'><bios><entry name='vendor'>a, b</entry></bios><oemStrings><entry>one</entry><entry>two</entry></oemStrings></sysinfo>",
		becomes: ["-smbios type=0,vendor=a,, b", "-smbios type=11,value=one,value=two"],
	},
	{
		title: "firmware data is text or a file",
		part: buildFirmwareData,
		elements:
			"<sysinfo type='fwcfg'><entry name='opt/a/b'>text</entry><entry name='opt/a/c' file='/tmp/file'/></sysinfo>",
		becomes: ["-fw_cfg name=opt/a/b,string=text", "-fw_cfg name=opt/a/c,file=/tmp/file"],
	},
	{
		title: "a generation id is a device",
		part: buildGenerationId,
		elements: "<genid>5d1d9d5f-3f0b-4b43-9a5c-0d6ad1d1c2aa</genid>",
		becomes: [`-device {"driver":"vmgenid","guid":"5d1d9d5f-3f0b-4b43-9a5c-0d6ad1d1c2aa","id":"vmgenid0"}`],
	},
	{
		title: "flash firmware is two block devices",
		part: buildFlash,
		os: "<loader readonly='yes' type='pflash'>/CODE.fd</loader><nvram>/VARS.fd</nvram>",
		becomes: [
			`-blockdev {"driver":"file","filename":"/CODE.fd","node-name":"libvirt-pflash0-storage","auto-read-only":true,"discard":"unmap"}`,
			`-blockdev {"node-name":"libvirt-pflash0-format","read-only":true,"driver":"raw","file":"libvirt-pflash0-storage"}`,
			`-blockdev {"driver":"file","filename":"/VARS.fd","node-name":"libvirt-pflash1-storage","auto-read-only":true,"discard":"unmap"}`,
			`-blockdev {"node-name":"libvirt-pflash1-format","read-only":false,"driver":"raw","file":"libvirt-pflash1-storage"}`,
		],
	},
	{
		title: "a ROM image is a BIOS",
		part: buildLoader,
		os: "<loader type='rom'>/bios.bin</loader>",
		becomes: ["-bios /bios.bin"],
	},
	{
		title: "a clock runs from a moment of its own",
		part: buildClock,
		elements:
			"<clock offset='absolute' start='86400'><timer name='rtc' track='guest' tickpolicy='catchup'/><timer name='pit' tickpolicy='discard'/><timer name='hpet' present='no'/></clock>",
		becomes: [
			"-rtc base=1970-01-02T00:00:00,clock=vm,driftfix=slew",
			"-global kvm-pit.lost_tick_policy=discard",
			"-no-hpet",
		],
	},
	{
		title: "sleep states belong to the chipset",
		part: buildPowerManagement,
		machine: "pc-q35-7.2",
		elements: "<pm><suspend-to-mem enabled='no'/><suspend-to-disk enabled='yes'/></pm>",
		becomes: ["-no-shutdown", "-no-acpi", "-global ICH9-LPC.disable_s3=1", "-global ICH9-LPC.disable_s4=0"],
	},
	{
		title: "a kernel is booted with what belongs to it",
		part: buildBoot,
		os: "<kernel>/k</kernel><initrd>/i</initrd><cmdline>a b</cmdline><dtb>/d</dtb><acpi><table type='slic'>/s,1</table></acpi><bootmenu enable='yes' timeout='3'/><bios rebootTimeout='5'/>",
		becomes: [
			"-boot menu=on,reboot-timeout=5,splash-time=3,strict=on",
			"-kernel /k",
			"-initrd /i",
			"-append a b",
			"-dtb /d",
			"-acpitable sig=SLIC,file=/s,,1",
		],
	},
	{
		title: "SEV is an object with files of the guest's own",
		part: buildLaunchSecurity,
		elements:
			"<launchSecurity type='sev'><cbitpos>47</cbitpos><reducedPhysBits>1</reducedPhysBits><policy>0x0001</policy><session>AQ==</session></launchSecurity>",
		becomes: [
			`-object {"qom-type":"sev-guest","id":"lsec0","cbitpos":47,"reduced-phys-bits":1,"policy":1,"session-file":"/work/session.base64"}`,
		],
	},
	{
		title: "vmcoreinfo is a device",
		part: buildVmCoreInfo,
		elements: "<features><vmcoreinfo/></features>",
		becomes: [`-device {"driver":"vmcoreinfo"}`],
	},
	{
		title: "raw options are added as they are",
		part: buildExtra,
		elements: "<qemu:commandline><qemu:arg value='-trace'/><qemu:arg value='enable=net*'/></qemu:commandline>",
		becomes: ["-trace", "enable=net*"],
	},
];

for (const row of ROWS) test(row.title, () => assert.deepEqual(optionsOf(row), row.becomes));

test("memory on nodes that the host has not is refused", () => {
	const elements = "<numatune><memory mode='strict' nodeset='3'/></numatune>";
	assert.throws(() => buildMemory(contextOf({ elements })), {
		code: "CONFIG_UNSUPPORTED",
		message: /NUMA node 3 is unavailable; the host has 0/,
	});
});

test("huge pages that no file system has are refused with the remedy", () => {
	const elements = "<memoryBacking><hugepages/></memoryBacking>";
	assert.throws(() => buildMemory(contextOf({ elements })), {
		code: "INTERNAL_ERROR",
		message: /mount one, or leave out <hugepages>/,
	});
});

test("each option knows the element it came from", () => {
	const context = contextOf({ elements: "<features><vmcoreinfo state='on'/></features>" });
	buildVmCoreInfo(context);
	assert.equal(context.command.options[0]?.origin.element, context.def.features?.vmcoreinfo);
});

test("overrides change and remove properties of one device", () => {
	const { def } = contextOf({
		elements:
			"<qemu:override><qemu:device alias='ua-a'><qemu:frontend><qemu:property name='x' type='unsigned' value='7'/><qemu:property name='y' type='remove'/></qemu:frontend></qemu:device></qemu:override>",
	});
	assert.deepEqual(overrideDevice({ id: "ua-a", x: 1, y: 2 }, def.qemuOverride), { id: "ua-a", x: 7 });
	assert.deepEqual(overrideDevice({ id: "ua-b", y: 2 }, def.qemuOverride), { id: "ua-b", y: 2 });
});

test("words are quoted for a shell where it would read them otherwise", () => {
	assert.equal(quoteShell("a=b,c:d"), "a=b,c:d");
	assert.equal(quoteShell("it's"), `'it'\\''s'`);
	const command = new CommandLine("/usr/bin/qemu");
	command.environment["LC_ALL"] = "C";
	command.add("-append", "a b");
	command.add("-S");
	assert.equal(formatShell(command), "LC_ALL=C /usr/bin/qemu -append 'a b' -S");
	assert.equal(formatShell(command, true), "LC_ALL=C \\\n/usr/bin/qemu \\\n-append 'a b' \\\n-S");
});
