// Devices of every kind that can come and go, on a guest that runs its firmware alone, with real QEMU.

import assert from "node:assert/strict";
import test from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { plugGuest } from "@virtkit/testing/plug-guest";
import { TestDriver, until } from "@virtkit/testing/qemu-driver";

/** VIR_DOMAIN_AFFECT_LIVE and _CONFIG. */
const LIVE = 1;
const CONFIG = 2;

interface Row {
	readonly what: string;
	readonly xml: string;
	/** Id that QEMU has it by. */
	readonly id: string;
	/** The guest must answer before it is gone: a reset of the machine answers for it. */
	readonly slow?: true;
}

const MEMORY = "<maxMemory slots='2' unit='MiB'>512</maxMemory>";
const CELLS = "<cpu><numa><cell id='0' cpus='0' memory='32' unit='MiB'/></numa></cpu>";

const ROWS: readonly Row[] = [
	{
		what: "a network interface",
		xml: "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>",
		id: "net0",
		slow: true,
	},
	{
		what: "a random number generator",
		xml: "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
		id: "rng0",
		slow: true,
	},
	{ what: "a tablet", xml: "<input type='tablet' bus='usb'/>", id: "input2" },
	{
		what: "a channel",
		xml: "<channel type='unix'><target type='virtio' name='org.example.0'/></channel>",
		id: "channel0",
	},
	{
		what: "a redirected device",
		xml: "<redirdev bus='usb' type='tcp'><source mode='bind' host='127.0.0.1' service='0'/></redirdev>",
		id: "redir0",
	},
	{
		what: "a SCSI controller",
		xml: "<controller type='scsi' index='1' model='virtio-scsi'/>",
		id: "scsi1",
		slow: true,
	},
];

for (const { what, xml, id, slow } of ROWS)
	test(`${what} comes and goes, and leaves nothing`, async () => {
		await using own = await TestDriver.start();
		const guest = await plugGuest(own);
		const before = await guest.facts();
		await own.run("attachDevice", guest.domain, LIVE, xml);
		const during = await guest.facts();
		assert.ok(during.peripherals.includes(id), during.peripherals.join());
		assert.notEqual(during.xml, before.xml);
		await own.run("detachDeviceAlias", guest.domain, LIVE, id);
		if (slow) await own.run("reset", guest.domain);
		await until(() => own.events.includes("device-removed"), `${id} to go`);
		assert.deepEqual(await guest.facts(), before);
		const missing = isVirtError(xml.includes("<redirdev") ? "OPERATION_INVALID" : "DEVICE_MISSING");
		await assert.rejects(own.run("detachDevice", guest.domain, LIVE, xml), missing);
	});

test("a memory module counts among the guest's memory once it is there, and not without slots", async () => {
	await using own = await TestDriver.start();
	const module = "<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>";
	const plain = await plugGuest(own, { name: "plain", more: CELLS });
	await assert.rejects(
		own.run("attachDevice", plain.domain, LIVE, module),
		isVirtError("CONFIG_UNSUPPORTED", "maxMemory"),
	);
	const guest = await plugGuest(own, { name: "roomy", more: `${MEMORY}<features><acpi/></features>${CELLS}` });
	await own.run("attachDevice", guest.domain, LIVE, module);
	const { xml, peripherals } = await guest.facts();
	assert.ok(peripherals.includes("dimm0"));
	assert.match(xml, new RegExp(`<memory unit='KiB'>${(32 + 128) * 1024}</memory>`));
});

test("an interface's link is switched while the guest runs, and nothing else of it", async () => {
	await using own = await TestDriver.start();
	const net = (more: string, model = "virtio") =>
		`<interface type='user'><mac address='52:54:00:00:00:01'/><model type='${model}'/>${more}</interface>`;
	const guest = await plugGuest(own, { devices: net("") });
	await own.run("updateDevice", guest.domain, LIVE, net("<link state='down'/>"));
	assert.match((await guest.facts()).xml, /<link state='down'\/>/);
	await own.run("updateDevice", guest.domain, LIVE, net("<link state='up'/>"));
	assert.match((await guest.facts()).xml, /<link state='up'\/>/);
	await assert.rejects(
		own.run("updateDevice", guest.domain, LIVE, net("", "e1000e")),
		isVirtError("OPERATION_UNSUPPORTED", "model"),
	);
	await assert.rejects(
		own.run("detachDevice", guest.domain, LIVE, net("").replace("00:01", "00:02")),
		isVirtError("DEVICE_MISSING", "52:54:00:00:00:02"),
	);
});

test("the stored definition gets and loses an interface alone", async () => {
	await using own = await TestDriver.start();
	const guest = await plugGuest(own);
	const net = "<interface type='user'><mac address='52:54:00:00:00:09'/><model type='e1000e'/></interface>";
	await own.run("attachDevice", guest.domain, CONFIG, net);
	assert.doesNotMatch((await guest.facts()).xml, /00:00:09/);
	const INACTIVE = 2;
	assert.match(await own.run("xml", guest.domain, INACTIVE), /00:00:09/);
	await own.run("detachDevice", guest.domain, CONFIG, net);
	assert.doesNotMatch(await own.run("xml", guest.domain, INACTIVE), /00:00:09/);
});

test("a device plugged into a guest of the old chipset keeps off the slot of the chipset's own parts", async () => {
	await using tests = await TestDriver.start();
	const xml =
		"<domain type='qemu'><name>old</name><memory unit='MiB'>64</memory><os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features></domain>";
	const domain = await tests.define(xml);
	await tests.run("start", domain, 1);
	await tests.run(
		"attachDevice",
		domain,
		LIVE,
		"<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
	);
	// Slot 1 is PIIX3's, 2 the balloon's: where libvirtd puts it too.
	const { address } = domain.activeRun().live.def.devices.rngs[0] ?? {};
	assert.deepEqual(address?.type === "pci" && [address.slot, address.function], [3, 0]);
});
