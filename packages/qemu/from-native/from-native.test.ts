// Definitions to command lines and back: what is read gives the same command line again.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TestDriver } from "@virtkit/testing/qemu-driver";
import { splitWords } from "./words.ts";

let own: TestDriver;

before(async () => {
	own = await TestDriver.start();
});
after(() => own[Symbol.asyncDispose]());

const toNative = (xml: string) => own.driver.domains.xmlToNative("qemu-argv", xml, 0, own.context);
const fromNative = (text: string) => own.driver.domains.xmlFromNative("qemu-argv", text, 0, own.context);

const HEAD = "<uuid>8e7a25c5-0e2c-4c8f-9b3f-3a0f6f2a7d31</uuid><memory unit='MiB'>512</memory>";
const disk = (source: string, target: string, more = "") =>
	`<disk type='file'><driver name='qemu' type='qcow2' cache='none' discard='unmap'/><source file='${source}'/><target ${target}/>${more}</disk>`;

/** Guests of which every option is an element's. */
const GUESTS: Readonly<Record<string, string>> = {
	"a PC with a little of everything": `<domain type='qemu'><name>a, guest</name>${HEAD}<vcpu current='2'>4</vcpu>
<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type><bootmenu enable='yes' timeout='3000'/></os>
<features><acpi/><vmcoreinfo state='on'/></features>
<cpu mode='custom' match='exact'><model>Nehalem</model><topology sockets='1' cores='2' threads='2'/><feature policy='disable' name='sse4.2'/></cpu>
<clock offset='utc'><timer name='rtc' tickpolicy='catchup'/></clock>
<devices>
${disk("/images/a,b.qcow2", "dev='vdb' bus='virtio'", "<backingStore type='file'><format type='raw'/><source file='/images/base'/><backingStore/></backingStore><serial>one</serial><boot order='1'/>")}
<disk type='network' device='disk'><driver name='qemu' type='raw'/><source protocol='nbd' name='x'><host name='192.0.2.1' port='10810'/></source><target dev='sda' bus='scsi'/></disk>
<disk type='block' device='cdrom'><driver name='qemu' type='raw'/><source dev='/dev/sr7'/><target dev='hdc' bus='ide'/><readonly/></disk>
<disk type='file' device='cdrom'><target dev='hdd' bus='ide'/><readonly/></disk>
<controller type='scsi' model='virtio-scsi'><driver queues='2'/></controller>
<interface type='user'><mac address='52:54:00:10:00:01'/><model type='virtio'/></interface>
<serial type='pty'/><serial type='tcp'><source mode='bind' host='127.0.0.1' service='4555'/><protocol type='telnet'/></serial>
<channel type='unix'><source mode='bind' path='/run/agent.sock'/><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<input type='tablet' bus='usb'/><hub type='usb'/>
<graphics type='vnc' port='5907' listen='127.0.0.1'/><video><model type='cirrus'/></video>
<sound model='ac97'/><watchdog model='i6300esb' action='poweroff'/><memballoon model='virtio' freePageReporting='on'/>
<rng model='virtio'><rate bytes='1024' period='500'/><backend model='random'>/dev/urandom</backend></rng>
<vsock model='virtio'><cid auto='no' address='7'/></vsock><panic model='isa'/>
</devices></domain>`,
	"a q35 guest that boots a kernel": `<domain type='qemu'><name>q</name>${HEAD}<iothreads>2</iothreads>
<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type><kernel>/boot/vmlinuz</kernel><initrd>/boot/initrd</initrd><cmdline>console=ttyS0 "quoted, words"</cmdline></os>
<features><acpi/></features><cpu mode='maximum'/>
<devices>${disk("/images/q.qcow2", "dev='vda' bus='virtio'")}${disk("/images/s.qcow2", "dev='sda' bus='sata'")}
<controller type='usb' model='ich9-ehci1'/><controller type='usb' model='ich9-uhci1'><master startport='0'/></controller>
<interface type='ethernet'><mac address='52:54:00:10:00:02'/><model type='e1000e'/></interface>
<input type='keyboard' bus='virtio'/><graphics type='spice' port='5909' listen='127.0.0.1'/>
<video><model type='virtio' heads='2' primary='yes'/></video><sound model='ich9'><codec type='micro'/></sound>
<memballoon model='none'/></devices></domain>`,
	"a guest with memory cells": `<domain type='qemu'><name>n</name><uuid>8e7a25c5-0e2c-4c8f-9b3f-3a0f6f2a7d32</uuid>
<maxMemory slots='4' unit='MiB'>4096</maxMemory><memory unit='MiB'>1024</memory><vcpu>2</vcpu>
<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
<cpu><numa><cell id='0' cpus='0' memory='512' unit='MiB'/><cell id='1' cpus='1' memory='512' unit='MiB'/></numa></cpu>
<devices><controller type='usb' model='none'/></devices></domain>`,
};

for (const [what, xml] of Object.entries(GUESTS))
	test(`${what} is read back from its command line, element by element`, async () => {
		const native = await toNative(xml);
		const read = await fromNative(native);
		assert.doesNotMatch(read, /<qemu:/);
		assert.equal(await toNative(read), native);
	});

test("options that no element stands for are kept as they are, and changed devices are overridden", async () => {
	const native = (await toNative(GUESTS["a guest with memory cells"] ?? "")).replace(
		" -msg",
		` -device '{"driver":"edu","id":"edu0"}' -global isa-fdc.fallback=144 -msg`,
	);
	const changed = native.replace(
		'"driver":"virtio-balloon-pci",',
		'"driver":"virtio-balloon-pci","page-poison":false,',
	);
	assert.notEqual(changed, native);
	const read = await fromNative(changed);
	for (const word of [
		"-device",
		"{&quot;driver&quot;:&quot;edu&quot;,&quot;id&quot;:&quot;edu0&quot;}",
		"isa-fdc.fallback=144",
	])
		assert.ok(read.includes(`<qemu:arg value='${word}'/>`), word);
	assert.match(
		read,
		/<qemu:device alias='balloon0'>[\s\S]*<qemu:property name='page-poison' type='bool' value='false'\/>/,
	);
	const words = (text: string) => splitWords(text).toSorted();
	const sorted = (text: string) =>
		words(text).map((word) => (word.startsWith("{") ? [...word].toSorted().join("") : word));
	assert.deepEqual(sorted(await toNative(read)).toSorted(), sorted(changed).toSorted());
});

test("what is no command line, and what no document could give again, is refused with its name", async () => {
	const binary = splitWords(await toNative(GUESTS["a guest with memory cells"] ?? "")).find((word) =>
		word.includes("/qemu-system-"),
	);
	const cases: readonly [string, string, RegExp][] = [
		[`${binary} -name 'open`, "INVALID_ARG", /quote/],
		[`${binary} -m`, "INVALID_ARG", /option '-m' .* needs a value/],
		[`${binary} -device '{"driver"'`, "INVALID_ARG", /'-device' is no JSON/],
		[`${binary} -device isa-serial,chardev=gone,id=serial0`, "INVALID_ARG", /no option '-chardev' with id 'gone'/],
		["", "INVALID_ARG", /names no emulator/],
		[
			`${binary} -netdev user,id=hostnet0,hostfwd=tcp::2222-:22 -device virtio-net-pci,netdev=hostnet0,id=net0,mac=52:54:00:10:00:01`,
			"CONFIG_UNSUPPORTED",
			/hostfwd of network 'hostnet0'/,
		],
	];
	for (const [text, code, message] of cases)
		await assert.rejects(async () => fromNative(text), { code, message }, text);
	await assert.rejects(async () => fromNative("/bin/true -m 1"));
	await assert.rejects(async () => own.driver.domains.xmlFromNative("vmx", "x", 0, own.context), {
		code: "INVALID_ARG",
	});
});
