// libvirt's own clients, virsh and the Python binding, against our RPC server with handlers of a few lines.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { VirtError } from "@virtkit/base/errors";
import type { Client, Handlers } from "@virtkit/rpc-server/handler";
import { type Listener, listenUnix } from "@virtkit/rpc-server/listen";
import { RpcServer } from "@virtkit/rpc-server/server";
import { type TemporaryFolder, temporaryFolder } from "@virtkit/testing/temporary-folder";

const run = promisify(execFile);
const dom = { name: "vm", uuid: "6695eb01-f6a4-8304-79aa-97f2502e193f", id: 1 };
const SCREENSHOT = Buffer.alloc(1_500_000, "picture ");
const clients = new Set<Client>();

function lifecycle(event: number, detail: number): void {
	for (const client of clients) {
		client.sendEvent("DOMAIN_EVENT_CALLBACK_LIFECYCLE", { callbackID: 0, msg: { dom, event, detail } });
	}
}

const HANDLERS: Handlers = {
	CONNECT_OPEN: () => undefined,
	CONNECT_CLOSE: ({ client }) => client.close(),
	CONNECT_GET_URI: () => ({ uri: "qemu:///system" }),
	CONNECT_GET_TYPE: () => ({ type: "QEMU" }),
	CONNECT_GET_HOSTNAME: async () => ({ hostname: "host.example" }),
	CONNECT_REGISTER_CLOSE_CALLBACK: () => undefined,
	CONNECT_UNREGISTER_CLOSE_CALLBACK: () => undefined,
	NODE_GET_INFO: () => ({
		model: "x86_64",
		memory: 4096n,
		cpus: 4,
		mhz: 3000,
		nodes: 1,
		sockets: 1,
		cores: 2,
		threads: 2,
	}),
	NODE_GET_SECURITY_MODEL: () => ({ model: "none", doi: "0" }),
	CONNECT_LIST_ALL_DOMAINS: () => ({ domains: [dom], ret: 1 }),
	DOMAIN_LOOKUP_BY_NAME: (_context, { name }) => {
		if (name !== dom.name) throw new VirtError("NO_DOMAIN", `no domain with matching name '${name}'`);
		return { dom };
	},
	DOMAIN_GET_STATE: () => ({ state: 1, reason: 1 }),
	DOMAIN_GET_INFO: () => ({ state: 1, maxMem: 2048n, memory: 1024n, nrVirtCpu: 2, cpuTime: 5_000_000_000n }),
	DOMAIN_SUSPEND: () => lifecycle(3, 0),
	DOMAIN_RESUME: async () => lifecycle(4, 0),
	DOMAIN_SCREENSHOT: (context) => {
		context.openStream().end(SCREENSHOT);
		return { mime: "image/x-portable-pixmap" };
	},
	DOMAIN_OPEN_CONSOLE: (context) => {
		const stream = context.openStream();
		stream.write("login: ");
		stream.on("data", (data: Buffer) => {
			if (String(data) === "quit") stream.end("bye");
			else stream.write(String(data).toUpperCase());
		});
	},
	DOMAIN_OPEN_CHANNEL: (context) => void context.openStream().destroy(new VirtError("OPERATION_FAILED", "no guest")),
	CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY: ({ client }) => {
		clients.add(client);
		client.onClose(() => void clients.delete(client));
		return { callbackID: 0 };
	},
	CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY: ({ client }) => void clients.delete(client),
	DOMAIN_GET_SCHEDULER_TYPE: () => ({ type: "posix", nparams: 2 }),
	DOMAIN_DESTROY: () => {
		throw new VirtError("OPERATION_INVALID", "domain is not running");
	},
	DOMAIN_GET_SCHEDULER_PARAMETERS: () => ({
		params: [
			{ field: "cpu_shares", value: { type: 4, value: 1024n } },
			{ field: "vcpu_quota", value: { type: 3, value: -1n } },
		],
	}),
};

let folder: TemporaryFolder;
let server: RpcServer;
let listeners: Listener[];
let uri: string;

before(async () => {
	folder = temporaryFolder();
	server = new RpcServer({ handlers: { remote: HANDLERS } });
	listeners = await Promise.all([
		listenUnix(server, { path: folder.file("sock") }),
		listenUnix(server, { path: folder.file("sock-ro"), readOnly: true }),
	]);
	uri = `qemu+unix:///system?socket=${folder.file("sock")}`;
});

after(async () => {
	await Promise.all(listeners.map((listener) => listener.close()));
	await server.close(0);
	folder[Symbol.dispose]();
});

/** What virsh prints, stdout and stderr together. */
async function virsh(...args: string[]): Promise<string> {
	try {
		const { stdout, stderr } = await run("virsh", ["-q", "-c", uri, ...args], {
			env: { PATH: process.env["PATH"], LC_ALL: "C" },
		});
		return (stdout + stderr).trim();
	} catch (error) {
		const { stdout, stderr } = error as { stdout: string; stderr: string };
		return (stdout + stderr).trim();
	}
}

/** What a Python script prints that has the open connection as `c` and the domain as `d`. */
async function python(...lines: string[]): Promise<string> {
	const script = [
		"import libvirt, threading, time",
		`c = libvirt.open('${uri}')`,
		"d = c.lookupByName('vm')",
		...lines,
	];
	const { stdout } = await run("/usr/bin/python3", ["-c", script.join("\n")]);
	return stdout.trim();
}

test("virsh lists a domain and its facts", async () => {
	assert.match(await virsh("list", "--all"), /^ ?1 +vm +running$/);
	assert.match(await virsh("dominfo", "vm"), /^CPU\(s\): +2$/m);
	assert.match(await virsh("nodeinfo"), /^CPU model: +x86_64$/m);
	assert.equal(await virsh("hostname"), "host.example");
	assert.match(await virsh("schedinfo", "vm"), /cpu_shares +: 1024\nvcpu_quota +: -1$/);
});

test("virsh shows errors as it shows libvirtd's", async () => {
	assert.equal(await virsh("domstate", "none"), "error: failed to get domain 'none'");
	assert.equal(
		await virsh("destroy", "vm"),
		"error: Failed to destroy domain 'vm'\nerror: Requested operation is not valid: domain is not running",
	);
	assert.equal(
		await virsh("pool-list"),
		"error: Failed to get the number of active pools \nerror: this function is not supported by the connection driver: virConnectNumOfStoragePools",
	);
});

test("virsh is refused changes on the read-only socket", async () => {
	const answer = await virsh("-c", `${uri}-ro`, "-r", "destroy", "vm");
	assert.match(answer, /error: operation forbidden: read only access prevents virDomainDestroy$/);
});

test("virsh takes a screenshot through a stream", async () => {
	const file = folder.file("shot.ppm");
	await virsh("screenshot", "vm", file);
	assert.ok(readFileSync(file).equals(SCREENSHOT));
});

test("virsh waits for an event that another client causes", async () => {
	const waiting = virsh("event", "--domain", "vm", "--event", "lifecycle", "--timeout", "20");
	while (clients.size === 0) await new Promise((resolve) => setTimeout(resolve, 20));
	await virsh("suspend", "vm");
	assert.match(await waiting, /event 'lifecycle' for domain 'vm': Suspended Paused/);
});

test("the Python binding talks to a console, and sees its end", async () => {
	const answer = await python(
		"s = c.newStream(0); d.openConsole(None, s, 0)",
		"print(s.recv(99)); s.send(b'root'); print(s.recv(99)); s.send(b'quit'); print(s.recv(99)); print(s.recv(99)); s.finish()",
		"print(c.getHostname())",
	);
	assert.equal(answer, "b'login: '\nb'ROOT'\nb'bye'\nb''\nhost.example");
});

test("the Python binding aborts a console, and sees a stream fail", async () => {
	const answer = await python(
		"s = c.newStream(0); d.openConsole(None, s, 0); s.abort()",
		"s = c.newStream(0); d.openChannel(None, s, 0)",
		"try: s.recv(99)",
		"except libvirt.libvirtError as e: print(e.get_error_code(), e)",
		"print(c.getHostname())",
	);
	assert.equal(answer, "9 operation failed: no guest\nhost.example");
});

test("the Python binding gets events while it calls, and keeps the connection alive", async () => {
	const [uriLine, domainLine] = [`c = libvirt.open('${uri}')`, "d = c.lookupByName('vm')"];
	const script = [
		"import libvirt",
		"libvirt.virEventRegisterDefaultImpl()",
		uriLine,
		domainLine,
		"seen = []",
		"c.setKeepAlive(1, 3)",
		"c.domainEventRegisterAny(None, 0, lambda c, d, e, detail, o: seen.append((d.name(), e, detail)), None)",
		"d.suspend(); d.resume()",
		"while len(seen) < 2: libvirt.virEventRunDefaultImpl()",
		"print(seen, c.isAlive())",
	].join("\n");
	const { stdout } = await run("/usr/bin/python3", ["-c", script]);
	assert.equal(stdout.trim(), "[('vm', 3, 0), ('vm', 4, 0)] 1");
});

test("a client in many threads gets each its own answer", async () => {
	const answer = await python(
		"wrong = []",
		"def work():",
		"    for _ in range(300):",
		"        if d.info()[3] != 2 or c.getHostname() != 'host.example': wrong.append(1)",
		"threads = [threading.Thread(target=work) for _ in range(8)]",
		"[t.start() for t in threads]; [t.join() for t in threads]; print(len(wrong))",
	);
	assert.equal(answer, "0");
	assert.ok(existsSync(folder.file("sock")));
});
