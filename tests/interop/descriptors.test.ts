// Descriptors that libvirt's own client passes: disks that come to a running guest by them, and whose they are.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { startDaemon } from "@virtkit/testing/daemon";

const GUEST = `
import os, tempfile
image = tempfile.NamedTemporaryFile()
image.truncate(1 << 20)
disk = lambda dev, group: f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/none' fdgroup='{group}'/><target dev='{dev}' bus='virtio'/></disk>"
ports = "<controller type='pci' index='0' model='pcie-root'/>" + "<controller type='pci' model='pcie-root-port'/>" * 4
def xml(devices):
    return f"<domain type='qemu'><name>lent</name><memory>65536</memory><os><type arch='x86_64' machine='q35'>hvm</type></os><devices>{ports}{devices}</devices></domain>"
def code(call):
    try:
        call()
    except libvirt.libvirtError as error:
        return error.get_error_code()
`;

test("a disk is plugged into a running guest by a descriptor that the client passed, and taken out again", async () => {
	await using daemon = await startDaemon();
	const told = await daemon.python(`${GUEST}
import libvirt_qemu
d = conn.createXML(xml(""), libvirt.VIR_DOMAIN_START_PAUSED)
d.FDAssociate("g", [os.open(image.name, os.O_RDWR)], 0)
refused = code(lambda: d.attachDevice(disk("vdb", "other")))
sets = lambda: len(json.loads(libvirt_qemu.qemuMonitorCommand(d, '{"execute":"query-fdsets"}', 0))["return"])
before = sets()
d.attachDevice(disk("vdb", "g"))
inserted = libvirt_qemu.qemuMonitorCommand(d, "info block", 1)
print(json.dumps([refused, sets() - before, "/dev/fdset/" in inserted, "fdgroup='g'" in d.XMLDesc()]))
d.destroy()
`);
	assert.deepEqual(JSON.parse(told), [8, 1, true, true]);
});

test("descriptors are the domain's as long as the client that passed them stays, and no longer", async () => {
	await using daemon = await startDaemon();
	const before = readdirSync(`/proc/${daemon.pid}/fd`).length;
	const told = await daemon.python(`${GUEST}
d = conn.defineXML(xml(disk("vda", "g")))
other = libvirt.open(sys.argv[1])
same = other.lookupByName("lent")
for _ in range(20): same.FDAssociate("g", [os.open(image.name, os.O_RDWR)], 0)
started = code(lambda: d.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED))
d.destroy()
del same
other.close()
print(json.dumps([started, code(lambda: d.create())]))
d.undefine()
`);
	assert.deepEqual(JSON.parse(told), [null, 8]);
	while (readdirSync(`/proc/${daemon.pid}/fd`).length > before) await new Promise((resolve) => setImmediate(resolve));
});

test("over TCP, where descriptors cannot travel, libvirt's client is told so", async () => {
	await using daemon = await startDaemon({ args: ["--tcp", "127.0.0.1:0"] });
	const port = /"127\.0\.0\.1:(\d+)"/.exec(daemon.log())?.[1];
	const told = await daemon.python(`${GUEST}
d = conn.createXML(xml("<graphics type='vnc'><listen type='none'/></graphics>"), libvirt.VIR_DOMAIN_START_PAUSED)
far = libvirt.open("qemu+tcp://127.0.0.1:${port}/system")
print(code(lambda: far.lookupByName("lent").openGraphicsFD(0, 0)))
d.destroy()
`);
	// VIR_ERR_ARGUMENT_UNSUPPORTED
	assert.equal(told.trim(), "74");
});
