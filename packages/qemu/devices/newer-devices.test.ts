// What versions of libvirt after 9.0 added, as a real QEMU takes it: devices, filters above a disk's images, and refusals.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import test from "node:test";
import { formatDomain } from "@virtkit/model/domain/domain";
import { TestDriver } from "@virtkit/testing/qemu-driver";

function image(driver: TestDriver, name: string): string {
	const path = driver.path(name);
	execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", path, "8M"]);
	return path;
}

/** An image whose data is in a file of its own. */
function split(driver: TestDriver): string {
	const path = driver.path("metadata.qcow2");
	const options = `data_file=${driver.path("data.raw")},data_file_raw=on`;
	execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", "-o", options, path, "8M"]);
	return path;
}

function guest(driver: TestDriver): string {
	const folder = driver.path("phone");
	mkdirSync(folder);
	return `<domain type='qemu'><name>newer</name><memory unit='MiB'>64</memory>
<iothreads>1</iothreads><iothreadids><iothread id='1'><poll max='65536' grow='4' shrink='2'/></iothread></iothreadids>
<throttlegroups><throttlegroup><total_iops_sec>100</total_iops_sec><group_name>slow</group_name></throttlegroup>
<throttlegroup><total_bytes_sec>1000000</total_bytes_sec><group_name>narrow</group_name></throttlegroup></throttlegroups>
<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/><ps2 state='off'/></features>
<devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2' copy_on_read='on'/><source file='${image(driver, "one.qcow2")}'/>
<blockio discard_granularity='0'/><target dev='vda' bus='virtio'/>
<throttlefilters><throttlefilter group='slow'/><throttlefilter group='narrow'/></throttlefilters></disk>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${split(driver)}'><dataStore type='file'>
<format type='raw'/><source file='${driver.path("data.raw")}'/></dataStore></source><target dev='vdc' bus='virtio'/></disk>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${image(driver, "two.qcow2")}'/>
<target dev='nvme0n1' bus='nvme'/><serial>S0001</serial></disk>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${image(driver, "three.qcow2")}'/>
<target dev='nvme0n2' bus='nvme'/><serial>S0001</serial></disk>
<controller type='usb' model='qemu-xhci'/>
<filesystem type='mount'><driver type='mtp'/><source dir='${folder}'/><target dir='phone'/><readonly/></filesystem>
<sound model='usb' multichannel='yes'/>
<crypto model='virtio' type='qemu'><backend model='builtin' queues='1'/></crypto>
<pstore backend='acpi-erst'><path>${driver.path("words.erst")}</path><size unit='KiB'>64</size></pstore>
</devices></domain>`;
}

/** A disk that comes while the guest runs, under a group's limits. */
const further = (path: string): string => `<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
<source file='${path}'/><target dev='vdb' bus='virtio'/>
<throttlefilters><throttlefilter group='narrow'/></throttlefilters></disk>`;

test("a real QEMU starts with the newer devices, and a disk under limits is plugged in", async () => {
	await using driver = await TestDriver.start();
	const domain = await driver.create(guest(driver));
	const monitor = domain.run?.monitor;
	assert.ok(monitor);
	const nodes = async (): Promise<string[]> =>
		(await monitor.execute("query-named-block-nodes")).flatMap((node) =>
			node.drv === "throttle" ? [node["node-name"] ?? ""] : [],
		);
	const started = await nodes();
	assert.equal(started.length, 2);
	const seen = await monitor.execute("qom-list", { path: "/machine/peripheral" });
	const names = seen.map(({ name }) => name);
	for (const wanted of ["crypto0", "pstore0", "nvme0", "nvme0-0-0", "nvme0-0-1", "fs0", "sound0", "virtio-disk0"])
		assert.ok(names.includes(wanted), wanted);
	const xml = further(image(driver, "four.qcow2"));
	await driver.run("attachDevice", domain, 1, xml);
	assert.equal((await nodes()).length, 3);
	assert.match(domain.run ? formatDomain(domain.run.live.def) : "", /<throttlefilter group='narrow'\/>/);
});

const REFUSED: readonly (readonly [where: "os" | "features" | "devices" | "root", xml: string])[] = [
	["os", "<varstore/>"],
	["features", "<async-teardown enabled='yes'/>"],
	["features", "<ras state='on'/>"],
	["features", "<aia value='aplic'/>"],
	["root", "<launchSecurity type='tdx'/>"],
	["root", "<launchSecurity type='sev-snp'><policy>0x30000</policy></launchSecurity>"],
	["root", "<iommufd enabled='yes'/>"],
	["root", "<cputune><energytune vcpus='0'><monitor vcpus='0'/></energytune></cputune>"],
	["devices", "<sound model='virtio'/>"],
	["devices", "<audio id='1' type='pipewire'/>"],
	["devices", "<iommu model='amd'/>"],
	["devices", "<iommu model='virtio'><driver aw_bits='48'/></iommu>"],
	[
		"devices",
		"<disk type='file' device='disk'><driver name='qemu' type='qcow2' discard_no_unref='on'/><source file='/a'/><target dev='vda'/></disk>",
	],
	[
		"devices",
		"<disk type='file' device='disk'><source file='/a'/><target dev='vda'/><throttlefilters><throttlefilter group='none'/></throttlefilters></disk>",
	],
	["devices", "<disk type='vhostvdpa' device='disk'><source dev='/dev/vhost-vdpa-0'/><target dev='vda'/></disk>"],
	["devices", "<disk type='file' device='disk'><source file='/a'/><target dev='nvme0n1'/></disk>"],
];

function withPiece(where: string, xml: string): string {
	const at = (place: string): string => (where === place ? xml : "");
	return `<domain type='qemu'><name>piece</name><memory>65536</memory>
<os><type arch='x86_64' machine='q35'>hvm</type>${at("os")}</os><features><acpi/>${at("features")}</features>
<devices>${at("devices")}</devices>${at("root")}</domain>`;
}

test("what this QEMU lacks is refused with libvirt's code, each", async () => {
	await using driver = await TestDriver.start();
	for (const [where, xml] of REFUSED)
		await assert.rejects(driver.define(withPiece(where, xml)), { code: "CONFIG_UNSUPPORTED" }, xml);
});
