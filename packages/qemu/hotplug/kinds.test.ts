// Devices of many kinds that come and go while a guest runs, its firmware alone: afterwards all is as it was before.

import assert from "node:assert/strict";
import test from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { plugGuest } from "@virtkit/testing/plug-guest";
import { TestDriver, until } from "@virtkit/testing/qemu-driver";

const LIVE = 1;
const CONFIG = 2;

interface Case {
	readonly xml: string;
	readonly alias: string;
	/** The guest must let go of it: firmware does when it is reset. */
	readonly asks?: true;
}

const CASES: Readonly<Record<string, Case>> = {
	rng: {
		xml: "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
		alias: "rng0",
		asks: true,
	},
	"USB tablet": { xml: "<input type='tablet' bus='usb'/>", alias: "input2" },
	channel: { xml: "<channel type='pty'><target type='virtio' name='org.example.0'/></channel>", alias: "channel0" },
	"user network": {
		xml: "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>",
		alias: "net0",
		asks: true,
	},
	watchdog: {
		xml: "<watchdog model='i6300esb' action='pause'><address type='pci' bus='14' slot='1'/></watchdog>",
		alias: "watchdog0",
		asks: true,
	},
	"USB serial port": {
		xml: "<serial type='pty'><target type='usb-serial' port='1'><model name='usb-serial'/></target></serial>",
		alias: "serial0",
	},
	"SCSI controller": {
		xml: "<controller type='scsi' index='5' model='virtio-scsi'/>",
		alias: "scsi5",
		asks: true,
	},
};

/** For devices of conventional PCI. */
const BRIDGE =
	"<controller type='pci' index='13' model='pcie-root-port'/><controller type='pci' index='14' model='pcie-to-pci-bridge'/>";

for (const [name, { xml, alias, asks }] of Object.entries(CASES))
	test(`${name}: comes, is known to the next daemon, and goes without a trace`, async () => {
		await using own = await TestDriver.start();
		const guest = await plugGuest(own, { devices: BRIDGE });
		const before = await guest.facts();
		await own.run("attachDevice", guest.domain, LIVE, xml);
		const during = await guest.facts();
		assert.ok(during.peripherals.includes(alias));
		await own.restart();
		assert.deepEqual(await guest.facts(), during);
		if (asks) {
			await own.run("detachDeviceAlias", guest.again(), LIVE, alias);
			await own.run("reset", guest.again());
			await until(() => own.events.includes("device-removed"), "the device to go");
		} else await own.run("detachDevice", guest.again(), LIVE, xml);
		assert.deepEqual(await guest.facts(), before);
		const missing = own.run("detachDevice", guest.again(), LIVE, xml);
		await assert.rejects(missing, isVirtError("DEVICE_MISSING"));
	});

for (const [name, { xml }] of Object.entries(CASES))
	test(`${name}: is added to the stored definition and removed from it`, async () => {
		await using own = await TestDriver.start();
		const guest = await plugGuest(own, { devices: BRIDGE });
		const before = await own.run("xml", guest.domain, 2);
		await own.run("attachDevice", guest.domain, CONFIG, xml);
		assert.notEqual(await own.run("xml", guest.domain, 2), before);
		await own.run("detachDevice", guest.domain, CONFIG, xml);
		assert.equal(await own.run("xml", guest.domain, 2), before);
	});

test("an interface's link goes down and up while the guest runs", async () => {
	await using own = await TestDriver.start();
	const guest = await plugGuest(own);
	const net = (more: string) =>
		`<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/>${more}</interface>`;
	await own.run("attachDevice", guest.domain, LIVE, net(""));
	const before = await guest.facts();
	await own.run("updateDevice", guest.domain, LIVE, net("<link state='down'/>"));
	assert.match((await guest.facts()).xml, /<link state='down'\/>/);
	await own.run("updateDevice", guest.domain, LIVE, net("<link state='up'/>"));
	assert.equal((await guest.facts()).peripherals.length, before.peripherals.length);
	await assert.rejects(
		own.run("updateDevice", guest.domain, LIVE, net("").replace("'virtio'", "'e1000'")),
		isVirtError("OPERATION_UNSUPPORTED", "cannot modify network device model"),
	);
});

test("what libvirt does not plug is refused in its words", async () => {
	await using own = await TestDriver.start();
	const guest = await plugGuest(own);
	const attach = (xml: string) => own.run("attachDevice", guest.domain, LIVE, xml);
	await assert.rejects(
		attach("<controller type='sata' index='4'/>"),
		isVirtError("OPERATION_UNSUPPORTED", "'sata' controller cannot be hot plugged."),
	);
	await assert.rejects(
		attach("<memballoon model='virtio'/>"),
		isVirtError("OPERATION_UNSUPPORTED", "live attach of device 'memballoon' is not supported"),
	);
	await assert.rejects(attach("<toaster/>"), isVirtError("CONFIG_UNSUPPORTED", "unknown device type 'toaster'"));
	await assert.rejects(
		attach("<input type='mouse' bus='ps2'/>"),
		isVirtError("OPERATION_UNSUPPORTED", "input device on bus 'ps2' cannot be hot plugged."),
	);
});

test("a console's password changes while the guest runs, and nothing else of it", async () => {
	await using own = await TestDriver.start({ vncPassword: "of-all" });
	const console = (more: string) =>
		`<graphics type='vnc' autoport='yes' ${more}><listen type='socket' socket='${own.path("vnc.sock")}'/></graphics>`;
	const guest = await plugGuest(own, { devices: console("") });
	await own.run("updateDevice", guest.domain, LIVE, console("passwd='secret'"));
	assert.match(await own.run("xml", guest.domain, 1), /passwd='secret'/);
	await assert.rejects(
		own.run("updateDevice", guest.domain, LIVE, console("keymap='de'")),
		isVirtError("OPERATION_UNSUPPORTED", "cannot change keymap setting on vnc graphics"),
	);
	await assert.rejects(
		own.run("detachDevice", guest.domain, LIVE, console("")),
		isVirtError("OPERATION_UNSUPPORTED", "live detach of device 'graphics' is not supported"),
	);
});

test("a virtio-mem module is resized while the guest runs", async () => {
	await using own = await TestDriver.start();
	const more =
		"<maxMemory slots='2' unit='MiB'>512</maxMemory><features><acpi/></features><cpu><numa><cell id='0' cpus='0' memory='32' unit='MiB'/></numa></cpu>";
	const guest = await plugGuest(own, { more });
	const module = (requested: number, alias: string) =>
		`<memory model='virtio-mem'><target><size unit='MiB'>128</size><node>0</node><block unit='MiB'>2</block><requested unit='MiB'>${requested}</requested></target><alias name='${alias}'/></memory>`;
	await own.run("attachDevice", guest.domain, LIVE, module(0, "ua-memory"));
	await own.run("updateDevice", guest.domain, LIVE, module(64, "ua-memory"));
	assert.match((await guest.facts()).xml, new RegExp(`<requested unit='KiB'>${64 * 1024}</requested>`));
	const monitor = guest.domain.activeRun().monitor;
	const path = "/machine/peripheral/ua-memory";
	assert.equal(await monitor.execute("qom-get", { path, property: "requested-size" }), 64 * 1024 * 1024);
	await assert.rejects(
		own.run("updateDevice", guest.domain, LIVE, module(64, "ua-other")),
		isVirtError("CONFIG_UNSUPPORTED", "memory 'ua-other' not found"),
	);
});
