// Devices of the host are given to guests and taken back, on a sysfs that stands in a temporary folder and does what the kernel does.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { UndoStack } from "@virtkit/base/undo-stack";
import { type DomainDef, parseDomain } from "@virtkit/model/domain/domain";
import { isVirtError } from "@virtkit/testing/expect-error";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { hostFiles } from "../host-files.ts";
import { adoptHostDevices, claimDevices, ownHostDevices, releaseDevice, releaseStrays } from "./claim.ts";
import type { PciHost } from "./pci-driver.ts";
import { assignedDevices, hostDeviceNodes } from "./use.ts";

const NIC = "0000:03:00.0";
const DISK = "0000:02:00.0";
const BRIDGE = "0000:00:01.0";
const MDEV = "c2177883-f1bb-47f0-914d-32a22e3a8804";

/** A host below a folder, with the kernel's part played. */
class FakeHost implements PciHost, Disposable {
	/** What was written, in order. */
	readonly written: string[] = [];
	/** Writes to paths with this in them fail. */
	refuses = "nothing";
	/** The module can be loaded. */
	hasModule = true;
	readonly #folder = temporaryFolder("virtkit-sysfs-");
	readonly files = {
		exists: (path: string) => hostFiles.exists(this.at(path)),
		list: (path: string) => hostFiles.list(this.at(path)),
		read: (path: string) => hostFiles.read(this.at(path)),
		size: (path: string) => hostFiles.size(this.at(path)),
		link: (path: string) => hostFiles.link(this.at(path)),
	};

	constructor() {
		this.put("/dev/vfio/vfio", "");
		for (const [index, [name, driver, type]] of [
			[NIC, "e1000e", "0x020000"],
			[DISK, "nvme", "0x010802"],
			[BRIDGE, "pcieport", "0x060400"],
		].entries()) {
			this.put(`/sys/bus/pci/devices/${name}/class`, `${type}\n`);
			this.bind(name ?? "", driver ?? "");
			this.join(`/sys/bus/pci/devices/${name}`, index);
		}
		for (const [name, bus, device, vendor, product] of [
			["usb1", 1, 1, "1d6b", "0002"],
			["1-1", 1, 4, "0627", "0001"],
			["1-2", 1, 5, "0951", "1666"],
			["2-1", 2, 3, "0951", "1666"],
		] as const)
			for (const [file, text] of Object.entries({ busnum: bus, devnum: device, idVendor: vendor, idProduct: product }))
				this.put(`/sys/bus/usb/devices/${name}/${file}`, `${text}\n`);
		this.put(`/sys/bus/mdev/devices/${MDEV}/mdev_type/device_api`, "vfio-pci\n");
		this.join(`/sys/bus/mdev/devices/${MDEV}`, 9);
		this.put("/sys/bus/scsi/devices/2:0:0:0/scsi_generic/sg7/dev", "");
	}

	at(path: string): string {
		return this.#folder.file(path.slice(1));
	}

	put(path: string, text: string): void {
		mkdirSync(join(this.at(path), ".."), { recursive: true });
		writeFileSync(this.at(path), text);
	}

	/** Puts the device into a group of the IOMMU. */
	join(device: string, group: number): void {
		const folder = `/sys/kernel/iommu_groups/${group}`;
		mkdirSync(this.at(`${folder}/devices`), { recursive: true });
		writeFileSync(this.at(`${folder}/devices/${device.split("/").at(-1)}`), "");
		rmSync(this.at(`${device}/iommu_group`), { force: true });
		symlinkSync(this.at(folder), this.at(`${device}/iommu_group`));
	}

	bind(name: string, driver: string): void {
		mkdirSync(this.at(`/sys/bus/pci/drivers/${driver}`), { recursive: true });
		symlinkSync(this.at(`/sys/bus/pci/drivers/${driver}`), this.at(`/sys/bus/pci/devices/${name}/driver`));
	}

	/** What the kernel does with it. */
	write(path: string, text: string): Promise<void> {
		this.written.push(`${path.replace("/sys/bus/pci/", "")} ${text.trim()}`.trim());
		if (path.includes(this.refuses)) return Promise.reject(Object.assign(new Error(), { code: "EBUSY" }));
		const folder = this.at(`/sys/bus/pci/devices/${text}`);
		if (path.endsWith("/driver_override")) writeFileSync(this.at(path), text.trim());
		else if (path.endsWith("/unbind")) rmSync(`${folder}/driver`);
		else {
			const wanted = existsSync(`${folder}/driver_override`) ? readFileSync(`${folder}/driver_override`, "utf8") : "";
			this.bind(text, wanted || (text === NIC ? "e1000e" : "nvme"));
		}
		return Promise.resolve();
	}

	loadModule(name: string): Promise<void> {
		this.written.push(`modprobe ${name}`);
		if (!this.hasModule) return Promise.reject(new Error("no such module"));
		mkdirSync(this.at(`/sys/bus/pci/drivers/${name}`), { recursive: true });
		return Promise.resolve();
	}

	driver(name: string): string | undefined {
		return this.files.link(`/sys/bus/pci/devices/${name}/driver`)?.split("/").at(-1);
	}

	[Symbol.dispose](): void {
		this.#folder[Symbol.dispose]();
	}
}

interface FakeGuest {
	readonly domain: QemuDomain;
	readonly run: Run;
	readonly def: DomainDef;
}

/** Guests of one driver, as far as devices of the host ask for them. */
class Guests implements Disposable {
	readonly all: QemuDomain[] = [];
	readonly logged: string[] = [];
	readonly #folder = temporaryFolder("virtkit-claims-");
	readonly driver = {
		domains: { all: () => this.all },
		log: { error: (message: string) => void this.logged.push(message) },
	} as unknown as Driver;

	start(name: string, devices: string): FakeGuest {
		const def = parseDomain(
			`<domain type='qemu'><name>${name}</name><memory>1</memory><os><type>hvm</type></os><devices>${devices}</devices></domain>`,
		);
		const run = {
			statusFile: this.#folder.file(`${name}.xml`),
			resources: new UndoStack(),
			caps: { has: () => true },
			live: { def },
		} as unknown as Run;
		const domain = { name, run } as unknown as QemuDomain;
		this.all.push(domain);
		return { domain, run, def };
	}

	notes(): string[] {
		return readdirSync(this.#folder.path).sort();
	}

	[Symbol.dispose](): void {
		this.#folder[Symbol.dispose]();
	}
}

const pci = (name: string, managed = true): string => {
	const [, bus, slot] = name.split(/[:.]/);
	return `<hostdev type='pci' managed='${managed ? "yes" : "no"}'><source><address domain='0' bus='0x${bus}' slot='0x${slot}' function='0'/></source></hostdev>`;
};
const usb = (source: string, attributes = ""): string =>
	`<hostdev type='usb'><source ${attributes}>${source}</source></hostdev>`;
const byId = (vendor: string, product: string): string => `<vendor id='0x${vendor}'/><product id='0x${product}'/>`;
const scsi = (more = ""): string =>
	`<hostdev type='scsi'><source><adapter name='scsi_host2'/><address bus='0' target='0' unit='0'/></source>${more}</hostdev>`;
const mdev = `<hostdev type='mdev' model='vfio-pci'><source><address uuid='${MDEV}'/></source></hostdev>`;

const TAKEN = [
	"modprobe vfio-pci",
	`devices/${NIC}/driver_override vfio-pci`,
	`devices/${NIC}/driver/unbind ${NIC}`,
	`drivers_probe ${NIC}`,
];
const RETURNED = [`devices/${NIC}/driver_override`, `devices/${NIC}/driver/unbind ${NIC}`, `drivers_probe ${NIC}`];

function fakes(): { host: FakeHost; guests: Guests } & Disposable {
	const [host, guests] = [new FakeHost(), new Guests()];
	return {
		host,
		guests,
		[Symbol.dispose]: () => {
			host[Symbol.dispose]();
			guests[Symbol.dispose]();
		},
	};
}

const claim = ({ guests, host }: { guests: Guests; host: FakeHost }, { domain, run, def }: FakeGuest, boots = true) =>
	claimDevices(guests.driver, domain, run, assignedDevices(def), boots, host);

test("a managed PCI device is taken from its driver, and given back to it when the guest ends", async () => {
	using all = fakes();
	const { host, guests } = all;
	const guest = guests.start("one", pci(NIC));
	ownHostDevices(guests.driver, guest.run, host);
	await claim(all, guest);
	assert.deepEqual(host.written.splice(0), TAKEN);
	assert.equal(host.driver(NIC), "vfio-pci");
	assert.equal(guest.def.devices.hostdevs[0]?.driver?.name, "vfio");
	assert.deepEqual(hostDeviceNodes(guest.def, host.files), [{ path: "/dev/vfio/0", write: true }]);
	assert.deepEqual(guests.notes(), ["one.devices"]);
	await guest.run.resources[Symbol.asyncDispose]();
	assert.deepEqual(host.written, RETURNED);
	assert.equal(host.driver(NIC), "e1000e");
	assert.deepEqual(guests.notes(), []);
});

test("a daemon started anew knows what its guest has, and gives it back", async () => {
	using all = fakes();
	const { host, guests } = all;
	const guest = guests.start("one", pci(NIC));
	await claim(all, guest);
	const again = guests.start("one", pci(NIC));
	guests.all.splice(0, 1);
	adoptHostDevices(guests.driver, again.run, host);
	await assert.rejects(claim(all, guests.start("two", pci(NIC))), isVirtError("OPERATION_INVALID", "domain one"));
	host.written.length = 0;
	await again.run.resources[Symbol.asyncDispose]();
	assert.deepEqual(host.written, RETURNED);
});

test("what was taken for a device that never came is given back by the next daemon", async () => {
	using all = fakes();
	const { host, guests } = all;
	await claim(all, guests.start("one", pci(NIC) + pci(DISK)));
	const again = guests.start("one", pci(DISK));
	guests.all.splice(0, 1);
	adoptHostDevices(guests.driver, again.run, host);
	host.written.length = 0;
	await releaseStrays(guests.driver, again.run, host);
	assert.deepEqual(host.written, RETURNED);
	assert.equal(host.driver(DISK), "vfio-pci");
});

test("a device that somebody gave to vfio-pci stays there, managed or not; one that nobody did is refused", async () => {
	using all = fakes();
	const { host, guests } = all;
	const refused = isVirtError(
		"OPERATION_INVALID",
		`Unmanaged PCI device ${NIC} must be manually detached from the host`,
	);
	await host.loadModule("vfio-pci");
	await assert.rejects(claim(all, guests.start("early", pci(NIC, false))), refused);
	rmSync(host.at(`/sys/bus/pci/devices/${NIC}/driver`));
	host.bind(NIC, "vfio-pci");
	host.written.length = 0;
	for (const managed of [false, true]) {
		const guest = guests.start(`guest-${managed}`, pci(NIC, managed));
		await claim(all, guest);
		await releaseDevice(guests.driver, guest.run, guest.def.devices.hostdevs[0] ?? assert.fail(), host);
	}
	assert.deepEqual(host.written, []);
});

test("no two guests have one device, nor devices of one group of the IOMMU", async () => {
	using all = fakes();
	const { host, guests } = all;
	await claim(all, guests.start("one", pci(NIC) + usb(byId("0627", "0001")) + scsi() + mdev));
	const used = async (devices: string, ...parts: readonly string[]): Promise<void> => {
		await assert.rejects(claim(all, guests.start("two", devices)), isVirtError("OPERATION_INVALID", ...parts));
	};
	await used(pci(NIC), `PCI device ${NIC} is in use by driver QEMU, domain one`);
	await used(usb("<address bus='1' device='4'/>"), "USB device 001:004 is in use by driver QEMU, domain one");
	await used(scsi("<shareable/>"), "SCSI device 2:0:0:0 is already in use by other domain(s) as 'non-shareable'");
	await used(mdev, `mediated device /sys/bus/mdev/devices/${MDEV} is in use by driver QEMU, domain one`);
	assert.equal(host.driver(DISK), "nvme");
	host.join(`/sys/bus/pci/devices/${DISK}`, 0);
	writeFileSync(host.at(`/sys/kernel/iommu_groups/0/devices/${NIC}`), "");
	await used(pci(DISK), `PCI device ${NIC} is in use by driver QEMU, domain one`);
	assert.equal(host.driver(DISK), "nvme");
	assert.deepEqual(guests.notes(), ["one.devices"]);
});

test("units that all their guests share are given to several", async () => {
	using all = fakes();
	for (const name of ["one", "two"]) await claim(all, all.guests.start(name, scsi("<shareable/>")));
});

test("where one of several devices cannot be taken, those taken before are given back", async () => {
	using all = fakes();
	const { host, guests } = all;
	for (const refuses of [`${DISK}/driver_override`, `${DISK}/driver/unbind`]) {
		host.refuses = refuses;
		const guest = guests.start("one", pci(NIC) + pci(DISK));
		await assert.rejects(claim(all, guest), isVirtError("SYSTEM_ERROR", DISK, "Device or resource busy"));
		assert.equal(host.driver(NIC), "e1000e");
		assert.equal(host.driver(DISK), "nvme");
		assert.deepEqual(guests.notes(), []);
	}
	assert.deepEqual(guests.logged, []);
});

test("a host that cannot give PCI devices to guests says so, and a device that is not there is named", async () => {
	using all = fakes();
	const { host, guests } = all;
	const refused = async (devices: string, check: (error: unknown) => true): Promise<void> => {
		await assert.rejects(claim(all, guests.start("one", devices)), check);
	};
	await refused(pci("0000:07:00.0"), isVirtError("SYSTEM_ERROR", "Device 0000:07:00.0 not found"));
	await refused(pci(BRIDGE), isVirtError("INTERNAL_ERROR", "Non-endpoint PCI devices cannot be assigned to guests"));
	await refused(mdev.replaceAll("c217", "c218"), isVirtError("DEVICE_MISSING", "mediated device"));
	await refused(
		mdev.replace("vfio-pci", "vfio-ap"),
		isVirtError("INTERNAL_ERROR", "invalid device API 'vfio-ap'", "device only supports 'vfio-pci'"),
	);
	host.hasModule = false;
	await refused(pci(NIC), isVirtError("INTERNAL_ERROR", "Failed to load PCI stub module vfio-pci"));
	rmSync(host.at("/dev/vfio/vfio"));
	await refused(pci(NIC), isVirtError("CONFIG_UNSUPPORTED", "host doesn't support passthrough of host PCI devices"));
	const named = pci(NIC).replace("<source>", "<driver name='vfio'/><source>");
	await refused(named, isVirtError("CONFIG_UNSUPPORTED", "host doesn't support VFIO PCI passthrough"));
	await refused(mdev, isVirtError("CONFIG_UNSUPPORTED", "Mediated host device assignment requires VFIO support"));
	assert.equal(host.driver(NIC), "e1000e");
});

test("USB devices are found by what they are and by where they are, and may be missing where the document says so", async () => {
	using all = fakes();
	const { host, guests } = all;
	const settled = async (devices: string, boots = true) => {
		const guest = guests.start("one", devices);
		guests.all.length = 0;
		await claim(all, guest, boots);
		return guest.def.devices.hostdevs[0]?.usb;
	};
	const found = await settled(usb(byId("0627", "0001")));
	assert.deepEqual({ ...found?.address }, { bus: 1, device: 4 });
	assert.equal(found?.autoAddress, true);
	assert.deepEqual({ ...(await settled(usb("<address bus='2' device='3'/>")))?.address }, { bus: 2, device: 3 });
	const both = `${byId("0951", "1666")}<address bus='2' device='3'/>`;
	assert.deepEqual({ ...(await settled(usb(both)))?.address }, { bus: 2, device: 3 });
	await assert.rejects(
		settled(usb(byId("0951", "1666"))),
		isVirtError("OPERATION_FAILED", "Multiple USB devices for 951:1666, use <address> to specify one"),
	);
	await assert.rejects(
		settled(usb(`${byId("0951", "1666")}<address bus='3' device='3'/>`)),
		isVirtError("INTERNAL_ERROR", "Did not find USB device 0951:1666 bus:3 device:3"),
	);
	await assert.rejects(
		settled(usb(byId("dead", "beef"), "startupPolicy='requisite'")),
		isVirtError("INTERNAL_ERROR", "Did not find USB device dead:beef"),
	);
	for (const [policy, boots] of [
		["optional", true],
		["requisite", false],
	] as const)
		assert.equal((await settled(usb(byId("dead", "beef"), `startupPolicy='${policy}'`), boots))?.missing, true);
	// It was found at another place before, and has been plugged in anew since.
	const moved = usb(`${byId("0627", "0001")}<address bus='1' device='9'/>`, "autoAddress='yes'");
	assert.deepEqual({ ...(await settled(moved))?.address }, { bus: 1, device: 4 });
	const lost = usb(`${byId("0951", "1666")}<address bus='1' device='9'/>`, "autoAddress='yes'");
	await assert.rejects(settled(lost), isVirtError("OPERATION_FAILED", "none of them is at bus:1 device:9"));
	assert.deepEqual(host.written, []);
});
