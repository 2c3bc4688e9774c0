// Our command line beside real virsh, asked the same of one daemon: output, complaints and exit status are the same.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { loadGroups } from "@virtkit/cli/commands/all";
import { whyNotHere } from "@virtkit/cli/commands/not-here";
import { commandHelp } from "@virtkit/cli/grammar/help";
import { startDaemon, type TestDaemon } from "@virtkit/testing/daemon";
import { askOurs, askVirsh, type Case, differences } from "./virsh-side-by-side.ts";

let daemon: TestDaemon;

const document = (name: string, disk: string): string => `<domain type='qemu'>
  <name>${name}</name><memory>65536</memory><vcpu>2</vcpu><iothreads>1</iothreads>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${disk}'/><target dev='vda'/></disk>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
    <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
    <serial type='pty'/><console type='pty'/>
    <graphics type='vnc' autoport='yes'/>
    <memballoon model='virtio'/>
  </devices>
</domain>`;

before(async () => {
	daemon = await startDaemon();
	for (const name of ["g", "idle"]) {
		const disk = daemon.file(`${name}.img`);
		writeFileSync(disk, Buffer.alloc(1 << 20));
		await daemon.virshWith(document(name, disk), "define");
	}
	await daemon.virsh("start", "g", "--paused");
});
after(() => daemon[Symbol.asyncDispose]());

/** Each line as a case. */
const cases = (text: string, volatile?: RegExp): Case[] =>
	text
		.trim()
		.split("\n")
		.map((line) => ({ line: line.trim(), ...(volatile ? { volatile } : {}) }));

async function same(text: string, volatile?: RegExp): Promise<void> {
	assert.deepEqual(await differences(daemon.uri, cases(text, volatile)), []);
}

/** The synopsis and the options as they are shown, without the sentences on them. */
function shape(page: string): string[] {
	const lines = page.split("\n");
	const synopsis = lines[lines.indexOf("  SYNOPSIS") + 1] ?? "";
	const options = lines.indexOf("  OPTIONS");
	const shown = options === -1 ? [] : lines.slice(options + 1).filter((line) => line.startsWith("    "));
	return [synopsis.trim(), ...shown.map((line) => /^ {4}(\S+(?: <\w+>)?)/.exec(line)?.[1] ?? line)];
}

/** Options that virsh 9.0 has and we lack, with the reason, and those that we have beyond it. */
const OPTION_DIFFERENCES: Readonly<Record<string, string>> = {
	autostart: "--once came with libvirt 11.2",
	console: "--resume came with libvirt 11.2",
	migrate: "--progress is our own",
};

test("every command that virsh has too takes the same words and options", async () => {
	const known = new Map(
		(await loadGroups()).flatMap(({ commands }) => commands.map((one) => [one.name, one] as const)),
	);
	const { out } = await askVirsh(daemon.uri, "help");
	const shared = [...out.matchAll(/^ {4}(\S+) /gm)].map(([, name]) => name ?? "").filter((name) => known.has(name));
	assert.ok(shared.length > 90);
	const pages = (await askVirsh(daemon.uri, shared.map((name) => `help ${name}`).join(";"))).out.split("  NAME\n");
	const differing = shared.filter((name, index) => {
		const command = known.get(name);
		return JSON.stringify(shape(pages[index + 1] ?? "")) !== JSON.stringify(shape(command ? commandHelp(command) : ""));
	});
	assert.deepEqual(
		differing.sort(),
		Object.keys(OPTION_DIFFERENCES)
			.filter((name) => shared.includes(name))
			.sort(),
	);
});

test("every command of virsh is there, or what it is about is told not to be", async () => {
	const { out } = await askVirsh(daemon.uri, "help");
	const names = [...out.matchAll(/^ {4}(\S+) /gm)].map(([, name]) => name ?? "");
	assert.ok(names.length > 200);
	const known = new Set(
		(await loadGroups()).flatMap(({ commands }) => commands.flatMap(({ name, aliases = [] }) => [name, ...aliases])),
	);
	assert.deepEqual(
		names.filter((name) => !known.has(name) && whyNotHere(name) === undefined),
		[],
	);
	const { err, status } = await askOurs(daemon.uri, "net-list --all");
	assert.deepEqual([err, status], ["error: unknown command: 'net-list' (virtual networks are not handled yet)\n", 1]);
});

test("the grammar's complaints are virsh's", () =>
	same(`
		nothing
		start
		start idle --foo
		start idle --paused=x
		start idle --paused --paused
		list foo
		domrename
		vcpupin idle x
		vcpupin idle 0 ''
		nodecpustats foo
		dominfo ''
		help nothing
		echo 'a  b' c; echo --xml a<b; echo --shell "it's"; echo --split a,,b,c
		echo --shell --xml a
		domstate nothere; echo still here
		domstate idle; nothing
		# a comment
		pwd; cd /nothing
	`));

test("domains are listed and described alike, running or not", () =>
	same(
		`
		list
		list --all
		list --all --name --uuid
		list --all --title --managed-save
		list --inactive --id
		dominfo g
		dominfo idle
		dominfo nothere
		domstate g --reason
		domstate idle --reason
		domid g
		domid idle
		domname 1
		domuuid g
		domcontrol g
		domcontrol idle
		domjobinfo g
		domjobinfo idle
		domjobinfo g --rawstats
		domjobinfo g --keep-completed
		domjobabort g
		domhostname g
		domhostname g --source foo
		domstats g --state --vcpu --nowait
		domstats idle
		domstats nothere
		dommemstat idle
		dommemstat g --period -3
		dumpxml g
		dumpxml idle --inactive
		dumpxml nothere
		domxml-to-native qemu-argv --domain idle
		domxml-to-native qemu-argv
		domxml-to-native foo --domain idle
		desc g
		desc g --title
		desc idle --new-desc 'a word'; desc idle; desc idle ''
		metadata g http://x
		metadata g http://x --set <a/>
		metadata g http://x --set <a/> --key k --live --current
		metadata idle http://x --set <a/> --key k --config; metadata idle http://x; metadata idle http://x --remove
	`,
		/CPU time: +[\d.]+s|(cpu|vcpu\.\d)\.(time|delay|wait)=\d+/g,
	));

test("disks, interfaces, consoles and displays are told of alike", () =>
	same(`
		domblklist g
		domblklist g --details
		domblkstat g vda
		domblkstat g vda --human
		domblkstat g
		domblkstat g nope
		domblkstat idle vda
		domblkinfo g vda
		domblkinfo g vda --human
		domblkinfo g --all
		domblkinfo idle --all
		domblkinfo g
		domblkinfo g vda --all
		domblkerror g
		domblkerror idle
		domiflist g
		domiflist idle
		domifstat g nope
		domifstat idle x
		console idle
		ttyconsole g
		ttyconsole idle
		vncdisplay g
		vncdisplay idle
		domdisplay g
		domdisplay g --all
		domdisplay g --type spice
		domdisplay g --all --type vnc
		domdisplay idle
	`));

test("processors, memory and scheduling are shown and refused alike", () =>
	same(
		`
		vcpuinfo g
		vcpuinfo g --pretty
		vcpuinfo idle
		vcpuinfo idle --pretty
		vcpucount g
		vcpucount idle
		vcpucount g --live --config
		vcpucount idle --live
		vcpucount g --maximum --current
		vcpupin g
		vcpupin g 0
		vcpupin g 7
		vcpupin idle --live
		vcpupin g 0 0-999
		vcpupin g 0 foo
		vcpupin g --cpulist 0
		emulatorpin g
		emulatorpin idle
		emulatorpin g 999
		iothreadinfo g
		iothreadinfo idle
		iothreadadd g 0
		iothreadset g 1
		cpu-stats g --total
		cpu-stats g --start 999
		cpu-stats g --start -1
		cpu-stats idle
		setmem g 4foo
		setmem idle 1k
		setmem g 100G
		setmem g 4 --live --current
		setvcpus g 0
		setvcpus g 99
		setvcpus idle 1 --live
		setvcpus g 3 --guest --config
		setvcpus g 3 --maximum
		schedinfo g
		schedinfo idle
		schedinfo g --set foo
		schedinfo g --set foo=1
		schedinfo g --set cpu_shares=abc
		schedinfo g --live --config
	`,
		/CPU time: +[\d.]+s|(?<=_time +)[\d. ]+seconds|(?<=^CPU: +)\d+/gm,
	));

test("the host is described alike", () =>
	same(
		`
		nodeinfo
		nodecpumap
		nodecpumap --pretty
		freecell
		freecell 0
		freecell --all
		freecell 7
		freecell --all 0
		freepages
		freepages 0
		freepages 0 4k
		freepages 0 4foo
		nodememstats 9
		nodecpustats 999
		nodesuspend foo 3
		allocpages 2M
		cpu-compare /nothing
		hypervisor-cpu-baseline
		hypervisor-cpu-baseline /x --model y
		hostname
		version
		maxvcpus
		cpu-models x86_64
		cpu-models foo
		domcapabilities --arch foo
		event --list
		event
		event --event foo
		event --all --event lifecycle
		event --event lifecycle --timeout 0
	`,
		/\d+(?= KiB)|(?<=4KiB: )\d+| +(?=… KiB)/g,
	));

test("what starts, stops, saves and changes domains is refused alike", () =>
	same(
		`
		start g
		destroy idle
		suspend idle
		resume idle
		shutdown idle
		shutdown g --mode foo
		reboot idle
		reset idle
		inject-nmi idle
		save idle /nothing/x
		restore /nothing
		managedsave idle
		managedsave-remove idle
		managedsave-dumpxml idle
		save-image-dumpxml /nothing
		save-image-define /nothing /nothing2
		define /nothing
		create /nothing
		undefine nothere
		undefine g --nvram --keep-nvram
		domrename g g2
		domrename nothere x
		autostart nothere
		autostart idle; autostart idle --disable
		send-key g KEY_FOO
		send-key idle KEY_A
		send-key g --codeset foo 1
		screenshot idle
		dump idle /nothing/x
		dump g /nothing/x --format elf
		qemu-monitor-command g --hmp info version
		qemu-monitor-command g '{"execute":"query-status"}' --pretty
		qemu-monitor-command g '{"execute":"query-status"}' --return-value
		qemu-monitor-command g --return-value query-status
		qemu-monitor-command g --return-value --pretty human-monitor-command '"command-line":"info version"'
		qemu-monitor-command g --return-value human-monitor-command '{"command-line":"info version"}'
		qemu-monitor-command g --hmp --pretty info
		dumpxml g --xpath //os
		dumpxml g --xpath //os/type/@machine
		dumpxml g --xpath "//devices/disk/target/@dev|//devices/disk/@type" --wrap
		dumpxml g --xpath "//devices/*[@type='pci']" --wrap
		dumpxml g --xpath //name/text()
		dumpxml g --xpath //nothing --wrap
		dumpxml g --xpath count(//disk)
		undefine g --storage vda
		undefine idle --wipe-storage
		undefine idle --delete-storage-volume-snapshots
		undefine idle --storage vda --remove-all-storage
		undefine idle --storage nosuch,vda
		qemu-monitor-command idle info
		qemu-agent-command g {}
		qemu-agent-command g {} --async --block
	`,
		/"id": "[^"]*"/g,
	));

test("devices, limits, guest agent, block jobs and snapshots are asked for and refused alike", () =>
	same(`
		attach-device g /nothing
		attach-device idle /nothing --persistent --current
		detach-device g /nothing
		update-device g /nothing --live --current
		detach-device-alias idle nope
		attach-disk g /x vdb --mode foo
		attach-disk g /x vdb --sourcetype foo
		attach-disk g /x vdb --sourcetype network
		attach-disk g /x vdb --address foo
		attach-disk g /x vdb --address usb:1.1
		attach-disk g /x vdb --source-host-name a
		detach-disk g nope
		change-media g nope --eject
		change-media g sda --eject
		change-media g sda
		change-media g sda /x --eject --insert
		attach-interface g foo x
		attach-interface g user x
		attach-interface g vhostuser x
		attach-interface g bridge x --inbound 1,2,3,4,5
		attach-interface g bridge x --inbound a
		attach-interface g bridge x --outbound 0,1
		detach-interface g bridge
		detach-interface g user --mac 00:00:00:00:00:00
		domif-setlink g nope up
		domif-setlink g 52:54:00:00:00:01 sideways
		domif-getlink g 52:54:00:00:00:01
		domif-getlink idle nope
		memtune g --hard-limit foo
		numatune g --mode foo
		blkiotune g --weight -3
		blkdeviotune g vda --total-bytes-sec foo
		domiftune g 52:54:00:00:00:01 --outbound 0,1
		guestvcpus g --cpulist 1
		guestvcpus g --enable
		setvcpu g 1
		setvcpu g 1 --enable --disable
		set-user-sshkeys g root
		set-user-sshkeys g root --reset --remove
		domtime g --now --sync
		domifaddr g --source foo
		set-lifecycle-action g foo destroy
		set-lifecycle-action g reboot foo
		send-process-signal g 1 foo
		dompmsuspend g foo
		domdirtyrate-calc g --mode foo
		domblkthreshold g vda foo
		blockcommit g vda --verbose
		blockcommit g vda --pivot --keep-overlay
		blockpull g vda --verbose
		blockcopy g vda
		blockcopy g vda /x --async
		blockjob g vda --info --abort
		blockresize g vda foo
		snapshot-create-as g --diskspec vda,foo=1
		snapshot-create-as g --memspec foo=1
		snapshot-create-as g --diskspec vda,stype=foo
		snapshot-list g --tree --name
		snapshot-list g --tree --leaves
		snapshot-list g --descendants
		snapshot-info g
		snapshot-info g --current --snapshotname a
		snapshot-parent g
		checkpoint-list g --descendants
		checkpoint-info g
		checkpoint-create-as g --diskspec vda,foo=1
		migrate g x:/// --live --offline
		migrate g x:/// --timeout 3
		migrate g x:/// --live --timeout-suspend
		migrate g x:/// --tls-destination a
		migrate g x:/// --persistent-xml /x
		migrate g x:/// --postcopy-resume
		migrate-setmaxdowntime g 0
		migrate-setmaxdowntime idle 10
	`));

test("help is a command's page wherever it is asked for", async () => {
	const pages = await Promise.all(
		["help suspend", "suspend --help", "suspend --help g"].map((line) => askOurs(daemon.uri, line)),
	);
	for (const page of pages) assert.deepEqual(page, pages[0]);
	assert.match(pages[0]?.out ?? "", /^ {2}NAME\n {4}suspend - /);
});
