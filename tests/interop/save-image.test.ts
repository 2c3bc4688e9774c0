// Images that libvirt's daemon saved go on here, and images saved here go on there.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import test from "node:test";
import { startLibvirtd } from "@virtkit/testing/oracle";
import { TestDriver, until } from "@virtkit/testing/qemu-driver";

/** virDomainXMLFlags. */
const SECURE = 1;
const INACTIVE = 2;

/** A guest with devices whose state and addresses must fit. */
const guest = (
	image: string,
): string => `<domain type='qemu'><name>mover</name><uuid>6bb1a7a0-3a7c-4b7e-9d0e-6f0d7d0c0a01</uuid>
<memory unit='MiB'>64</memory><vcpu>2</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/><apic/></features>
<devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${image}'/><target dev='vda' bus='virtio'/></disk>
<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
<controller type='scsi' model='virtio-scsi'/><controller type='usb' model='qemu-xhci' ports='8'/>
<controller type='pci' model='pcie-root'/><controller type='pci' model='pcie-root-port'/>
<interface type='user'><mac address='52:54:00:12:34:56'/><model type='virtio'/></interface>
<input type='tablet' bus='usb'/><sound model='ich9'/><watchdog model='i6300esb'/><memballoon model='virtio'/>
<serial type='pty'/><console type='pty'/>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
<video><model type='vga'/></video><graphics type='vnc' autoport='yes' listen='127.0.0.1'/>
</devices></domain>`;

/** One of the older chipset, with buses of every kind and devices on each. */
const olderGuest = (
	image: string,
): string => `<domain type='qemu'><name>older</name><uuid>6bb1a7a0-3a7c-4b7e-9d0e-6f0d7d0c0a02</uuid>
<memory unit='MiB'>64</memory><vcpu current='1'>2</vcpu><iothreads>1</iothreads>
<os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os><features><acpi/><apic/></features>
<clock offset='utc'><timer name='rtc' tickpolicy='catchup'/><timer name='hpet' present='no'/></clock>
<devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2' iothread='1'/><source file='${image}'/><target dev='vda' bus='virtio'/></disk>
<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>
<disk type='file' device='floppy'><target dev='fda' bus='fdc'/></disk>
<controller type='usb' index='0' model='ich9-ehci1'/><controller type='usb' index='0' model='ich9-uhci1'/>
<controller type='usb' index='0' model='ich9-uhci2'/><controller type='usb' index='0' model='ich9-uhci3'/>
<controller type='scsi' index='0' model='lsilogic'/><controller type='pci' index='1' model='pci-bridge'/>
<controller type='virtio-serial' index='0'/>
<interface type='user'><mac address='52:54:00:12:34:57'/><model type='e1000'/></interface>
<interface type='user'><mac address='52:54:00:12:34:58'/><model type='virtio'/>
<address type='pci' bus='1' slot='3'/></interface>
<serial type='null'/><serial type='pty'/><parallel type='null'/><console type='pty'/>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<input type='tablet' bus='usb'/><input type='keyboard' bus='usb'/><hub type='usb'/>
<graphics type='vnc' autoport='yes' listen='127.0.0.1'/><video><model type='cirrus'/></video>
<sound model='ac97'/><watchdog model='ib700' action='none'/><memballoon model='virtio'/>
<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng><panic model='isa'/>
</devices></domain>`;

const addressesIn = (text: string): string[] =>
	(text.match(/<address type='(?:pci|usb|drive|virtio-serial)'[^>]*>/g) ?? []).sort();

function makeImage(driver: TestDriver): string {
	const image = driver.path("disk.qcow2");
	execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", image, "64M"]);
	return image;
}

test("an image that libvirt's daemon saved goes on here", async () => {
	await using oracle = await startLibvirtd();
	await using driver = await TestDriver.start();
	const xmlOfGuest = guest(makeImage(driver));
	const path = driver.path("mover.save");
	await oracle.virshWith(xmlOfGuest, "create");
	await oracle.virsh("save", "mover", path);
	const domain = await driver.driver.domains.restore({ path }, 0, driver.context);
	await until(() => domain.stateName === "running", "the guest runs");
	assert.equal(domain.uuid, "6bb1a7a0-3a7c-4b7e-9d0e-6f0d7d0c0a01");
	assert.equal(
		await driver.driver.domains.saveImageXml(path, 0, driver.context),
		`${await oracle.virsh("save-image-dumpxml", path)}`.trimEnd().concat("\n"),
	);
});

for (const document of [guest, olderGuest])
	test(`a guest of libvirt's daemon is defined here and goes on from its saved state (${document.name})`, async () => {
		await using oracle = await startLibvirtd();
		await using driver = await TestDriver.start();
		const xml = document(makeImage(driver));
		const name = /<name>(.*)<\/name>/.exec(xml)?.[1] ?? "";
		const path = driver.path("moved.save");
		await oracle.virshWith(xml, "define");
		const stored = await oracle.virsh("dumpxml", "--inactive", "--security-info", name);
		await oracle.virsh("start", name);
		await oracle.virsh("save", name, path);
		const domain = await driver.define(stored);
		// What libvirt's daemon itself makes of its own document: it groups the controllers.
		await oracle.virshWith(stored, "define");
		const again = await oracle.virsh("dumpxml", "--inactive", "--security-info", name);
		assert.equal(`${(await driver.run("xml", domain, INACTIVE | SECURE)).trimEnd()}\n`, `${again.trimEnd()}\n`);
		assert.equal(await driver.driver.domains.restore({ path }, 0, driver.context), domain);
		await until(() => domain.stateName === "running", "the guest runs");
		// It is the guest that is defined, with the devices that the saved one had.
		assert.deepEqual(addressesIn(await driver.run("xml", domain, 0)), addressesIn(stored));
		await driver.run("destroy", domain);
		assert.equal(domain.persistent, true);
	});

test("an image saved here goes on under libvirt's daemon, also with its definition edited there", async () => {
	await using oracle = await startLibvirtd();
	await using driver = await TestDriver.start();
	const xmlOfGuest = guest(makeImage(driver));
	const path = driver.path("mover.save");
	const domain = await driver.create(xmlOfGuest);
	await driver.run("save", domain, 0, { path });
	const xml = await oracle.virsh("save-image-dumpxml", path);
	assert.equal(`${xml.trimEnd()}\n`, await driver.driver.domains.saveImageXml(path, 0, driver.context));
	const edited = driver.path("edited.xml");
	writeFileSync(edited, xml.replace("</uuid>", "</uuid>\n  <title>edited</title>"));
	await oracle.virsh("save-image-define", path, edited);
	assert.match(await driver.driver.domains.saveImageXml(path, 0, driver.context), /<title>edited<\/title>/);
	await oracle.virsh("restore", path);
	assert.equal((await oracle.virsh("domstate", "mover")).trim(), "running");
	await oracle.virsh("destroy", "mover");
});
