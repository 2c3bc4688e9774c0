// Descriptors that libvirt's own client passes: disks that come to a running guest by them, and whose they are.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, truncateSync, writeFileSync } from "node:fs";
import { Socket } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { connect } from "@virtkit/client/sdk/connection";
import { socketPairDescriptors } from "@virtkit/host/native";
import { startDaemon } from "@virtkit/testing/daemon";
import { isVirtError } from "@virtkit/testing/expect-error";
import { openDescriptors } from "@virtkit/testing/open-files";
import { startLibvirtd } from "@virtkit/testing/oracle";
import { until } from "@virtkit/testing/qemu-driver";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";

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
	using folder = temporaryFolder();
	const path = folder.file("lent");
	writeFileSync(path, Buffer.alloc(1 << 20));
	const told = await daemon.python(`${GUEST}
d = conn.defineXML(xml(disk("vda", "g")))
other = libvirt.open(sys.argv[1])
same = other.lookupByName("lent")
for _ in range(20): same.FDAssociate("g", [os.open("${path}", os.O_RDWR)], 0)
started = code(lambda: d.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED))
d.destroy()
del same
other.close()
print(json.dumps([started, code(lambda: d.create())]))
d.undefine()
`);
	assert.deepEqual(JSON.parse(told), [null, 8]);
	await until(() => openDescriptors(daemon.pid, path) === 0, "the daemon closes what it was lent");
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

const document = (devices: string): string =>
	`<domain type='qemu'><name>lent</name><memory>65536</memory><os><type arch='x86_64' machine='q35'>hvm</type></os><devices>${devices}</devices></domain>`;
const SCREEN = "<graphics type='vnc'><listen type='none'/></graphics>";
const DISK =
	"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/none' fdgroup='g'/><target dev='vda' bus='virtio'/></disk>";

/** What a VNC server says first. */
async function greeting(fd: number): Promise<string> {
	const socket = new Socket({ fd });
	try {
		const [bytes] = (await once(socket, "data")) as [Buffer];
		return bytes.toString();
	} finally {
		socket.destroy();
	}
}

for (const [whose, start] of [
	["virtkit", startDaemon],
	["libvirtd", startLibvirtd],
] as const)
	test(`the SDK passes descriptors to ${whose} and takes them from it, whatever else is called meanwhile`, async () => {
		await using daemon = await start();
		using folder = temporaryFolder();
		const image = folder.file("image");
		writeFileSync(image, "");
		truncateSync(image, 1 << 20);
		await using connection = await connect(daemon.uri);
		const domain = await connection.domains.define(document(SCREEN + DISK));
		const fd = openSync(image, "r+");
		await domain.associateFds("g", [fd]);
		const sockets = openDescriptors("self", "socket:");
		await domain.start({ paused: true });
		const others = Array.from({ length: 50 }, () => domain.info());
		const consoles = await Promise.all([domain.openGraphicsFd(), domain.openGraphicsFd(), domain.openGraphicsFd()]);
		for (const console of consoles) assert.equal(await greeting(console), "RFB 003.008\n");
		const [ours, theirs] = socketPairDescriptors();
		await domain.openGraphics(theirs);
		closeSync(theirs);
		assert.equal(await greeting(ours), "RFB 003.008\n");
		const command = JSON.stringify({ execute: "getfd", arguments: { fdname: "lent" } });
		assert.deepEqual(JSON.parse(await domain.monitorCommand(command, { fds: [fd] })).return, {});
		assert.equal((await Promise.all(others)).length, 50);
		await assert.rejects(domain.openGraphicsFd(1), isVirtError("INTERNAL_ERROR", "index 1"));
		await assert.rejects(domain.associateFds("g", [-1]), isVirtError("SYSTEM_ERROR", "duplicate"));
		const abort = new AbortController();
		const args = { dom: domain.ref, idx: 0, flags: 0 };
		const given = connection.rpc.callWithDescriptors("DOMAIN_OPEN_GRAPHICS_FD", args, { signal: abort.signal });
		await domain.info();
		abort.abort(new Error("enough"));
		await given.then(
			({ fds }) => fds.forEach(closeSync),
			(error: Error) => assert.equal(error.message, "enough"),
		);
		await domain.info();
		await until(() => openDescriptors("self", "socket:") <= sockets, "what came too late is closed");
		closeSync(fd);
		await domain.destroy();
		await domain.undefine();
	});

test("the command line passes on descriptors that it was started with", async () => {
	await using daemon = await startDaemon();
	using folder = temporaryFolder();
	const file = folder.file("guest.xml");
	writeFileSync(file, document(DISK));
	const fd = openSync(folder.file("image"), "w+");
	truncateSync(folder.file("image"), 1 << 20);
	const program = fileURLToPath(new URL("../../apps/cli/main.ts", import.meta.url));
	const said = (...lines: string[]): string[] => {
		const stdio = ["ignore", "pipe", "pipe", fd] as const;
		const arguments_ = [program, "-c", daemon.uri, lines.join(";")];
		const { stdout, stderr } = spawnSync(process.execPath, arguments_, { stdio: [...stdio], encoding: "utf8" });
		return `${stdout}${stderr}`.split("\n").filter((line) => line !== "");
	};
	const getfd = `'{"execute":"getfd","arguments":{"fdname":"x"}}'`;
	const answers = said(
		`define ${file}`,
		"dom-fd-associate lent g 3",
		"start lent --paused",
		`qemu-monitor-command lent --return-value --pass-fds 3 ${getfd}`,
		"destroy lent",
	);
	assert.deepEqual(answers, [
		`Domain 'lent' defined from ${file}`,
		"Domain 'lent' started",
		"{}",
		"Domain 'lent' destroyed",
	]);
	assert.deepEqual(said("start lent --pass-fds 3"), [
		"error: Failed to start domain 'lent'",
		"error: this function is not supported by the connection driver: virDomainCreateWithFiles",
	]);
	assert.deepEqual(said("dom-fd-associate lent g 3,x"), ["error: Unable to parse FD number 'x'"]);
	assert.deepEqual(said("dom-fd-associate lent g 99"), ["error: Cannot duplicate FD 99: Bad file descriptor"]);
	closeSync(fd);
});
