// Ways to a daemon: sockets, commands, and what SSH is told to run.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { test } from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { RpcPeer } from "@virtkit/testing/rpc-peer";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import { connectRpc } from "./connect.ts";
import { sshArguments } from "./ssh-command.ts";
import { openTransport } from "./transport.ts";
import { parseConnectionUri } from "./uri.ts";

/** Plays the part of a daemon for one connection: answers what opening asks. */
async function playOpening(daemon: RpcPeer, authentication: 0 | 1 = 0): Promise<unknown[]> {
	const seen: unknown[] = [];
	for (;;) {
		const call = await daemon.receive();
		seen.push(call.procedure);
		if (call.procedure === 66) daemon.answer(call, "AUTH_LIST", { types: [authentication] });
		else if (call.procedure === 60) daemon.answer(call, "CONNECT_SUPPORTS_FEATURE", { supported: 1 });
		else if (call.procedure === 2) daemon.answer(call, "CONNECT_CLOSE", undefined);
		else daemon.answer(call, "CONNECT_OPEN", undefined);
		if (call.procedure === 1) return [...seen, call.payload.toString("utf8")];
	}
}

test("a daemon that is not there is an error that names its socket", async () => {
	using folder = temporaryFolder();
	const path = folder.file("none");
	await assert.rejects(
		() => connectRpc(`qemu+unix:///system?socket=${path}`),
		isVirtError("SYSTEM_ERROR", `Failed to connect socket to '${path}'`, "No such file or directory"),
	);
});

test("a host that refuses is an error that names it", async () => {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as { port: number };
	await new Promise((resolve) => server.close(resolve));
	await assert.rejects(
		() => connectRpc(`qemu+tcp://127.0.0.1:${port}/system`),
		isVirtError("SYSTEM_ERROR", `unable to connect to server at '127.0.0.1:${port}'`, "Connection refused"),
	);
});

test("connecting authenticates, announces keepalive, then opens what the URI means", async () => {
	const server = createServer();
	const opened = Promise.withResolvers<unknown[]>();
	server.on("connection", (socket) => {
		const daemon = new RpcPeer(socket);
		void playOpening(daemon).then(async (seen) => {
			opened.resolve(seen);
			daemon.answer(await daemon.receive(), "CONNECT_CLOSE", undefined);
		});
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as { port: number };
	const client = await connectRpc(`qemu+tcp://127.0.0.1:${port}/system`);
	const seen = await opened.promise;
	assert.deepEqual(seen.slice(0, 3), [66, 60, 1]);
	assert.match(String(seen[3]), /qemu:\/\/\/system/);
	await client.close();
	await new Promise((resolve) => server.close(resolve));
});

test("a daemon that asks for SASL is an error that says so", async () => {
	const server = createServer((socket) => void playOpening(new RpcPeer(socket), 1).catch(() => undefined));
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as { port: number };
	await assert.rejects(
		() => connectRpc(`qemu+tcp://127.0.0.1:${port}/system`),
		isVirtError("AUTH_UNAVAILABLE", "SASL"),
	);
	await new Promise((resolve) => server.close(resolve));
});

test("connecting can be given up", async () => {
	const server = createServer((socket) => socket.on("error", () => undefined));
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as { port: number };
	const signal = AbortSignal.abort(new Error("enough"));
	await assert.rejects(() => connectRpc(`qemu+tcp://127.0.0.1:${port}/system`, { signal }), /enough/);
	await new Promise((resolve) => server.close(resolve));
});

for (const transport of ["tls", "libssh", "libssh2"]) {
	test(`the ${transport} transport is refused by name`, async () => {
		await assert.rejects(
			() => connectRpc(`qemu+${transport}://host/system`),
			isVirtError("CONFIG_UNSUPPORTED", `'${transport}'`),
		);
	});
}

test("a command that fails is an error that carries what it said", async () => {
	using folder = temporaryFolder();
	const command = folder.file("tunnel");
	writeFileSync(command, "#!/bin/sh\necho 'no route to host' >&2\nexit 1\n");
	chmodSync(command, 0o755);
	await assert.rejects(
		() => connectRpc(`qemu+ext:///system?command=${command}`),
		isVirtError("SYSTEM_ERROR", command, "no route to host"),
	);
});

test("a command that does not exist is named", async () => {
	await assert.rejects(
		() => connectRpc("qemu+ext:///system?command=/does/not/exist"),
		isVirtError("SYSTEM_ERROR", "/does/not/exist"),
	);
});

test("a command's standard input and output are the connection", async () => {
	using folder = temporaryFolder();
	const command = folder.file("echo");
	writeFileSync(command, "#!/bin/sh\nexec cat\n");
	chmodSync(command, 0o755);
	const stream = await openTransport(parseConnectionUri(`qemu+ext:///system?command=${command}`), { readOnly: false });
	stream.write("there and back");
	const [answer] = await new Promise<Buffer[]>((resolve) => stream.once("data", (data: Buffer) => resolve([data])));
	assert.equal(String(answer), "there and back");
	stream.destroy();
});

test("ssh is told user, port, key and what to run there, as libvirt tells it", () => {
	const uri = parseConnectionUri("qemu+ssh://me@host:2222/system?keyfile=/k&no_tty=1&no_verify=1");
	const args = sshArguments(uri, "/var/run/libvirt/libvirt-sock", true);
	assert.deepEqual(args.slice(0, -1), [
		...["-p", "2222", "-l", "me", "-i", "/k", "-T", "-e", "none"],
		...["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "--", "host"],
	]);
	assert.match(args.at(-1) ?? "", /virt-ssh-helper -r .*qemu:\/\/\/system.*nc/s);
});

/** Runs what the shell at the other end would, with these programs standing in for the real ones. */
function runRemoteCommand(uri: string, programs: Readonly<Record<string, string>>): string {
	using folder = temporaryFolder();
	for (const [name, script] of Object.entries(programs)) {
		writeFileSync(folder.file(name), `#!/bin/sh\n${script}\n`);
		chmodSync(folder.file(name), 0o755);
	}
	const command = sshArguments(parseConnectionUri(uri), "/run/it's here/sock", false).at(-1) ?? "";
	// Nothing but these: the machine that runs the test may have programs of the same names.
	for (const tool of ["sh", "grep"]) symlinkSync(`/bin/${tool}`, folder.file(tool));
	const env = { PATH: folder.path, LOG: folder.file("log") };
	execFileSync("/bin/sh", ["-c", command], { env });
	return readFileSync(folder.file("log"), "utf8").trim();
}

const HELPER = 'echo "helper $*" > "$LOG"';
const NETCAT = '[ "$1" = -q ] && exit 1; echo "nc $*" > "$LOG"';
const NETCAT_WITH_Q =
	'[ "$1" = -q ] && [ $# = 1 ] && echo "nc: option requires an argument -- q" && exit 1; echo "nc $*" > "$LOG"';

test("at the other end virt-ssh-helper is taken where it is, else netcat with the option that it needs", () => {
	const uri = "qemu+ssh://host/system";
	assert.equal(runRemoteCommand(uri, { "virt-ssh-helper": HELPER, nc: NETCAT }), "helper qemu:///system");
	assert.equal(runRemoteCommand(uri, { nc: NETCAT }), "nc -U /run/it's here/sock");
	assert.equal(runRemoteCommand(uri, { nc: NETCAT_WITH_Q }), "nc -q0 -U /run/it's here/sock");
	const named = runRemoteCommand(`${uri}?netcat=ncat`, { "virt-ssh-helper": HELPER, ncat: NETCAT });
	assert.equal(named, "nc -U /run/it's here/sock");
});

test("what a URI contains never reaches the remote shell as commands", () => {
	const hostile = "qemu+ssh://host/system';touch%20$LOG.pwned;'?proxy=native";
	assert.match(runRemoteCommand(hostile, { "virt-ssh-helper": HELPER }), /^helper qemu:\/\/\/system';touch/);
});
