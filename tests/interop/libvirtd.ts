// Runs libvirt's own daemon where it touches nothing of the system's: in a mount namespace, on a socket in a folder.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";

/** Folders of the system's that libvirtd writes to; each is an empty one of its own for this daemon. */
const OWN_FOLDERS = ["/run", "/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt"];
/** Guests write their logs themselves, since no virtlogd runs here, and run as the daemon does. */
const QEMU_CONF = ['stdio_handler = "file"', 'user = "root"', 'group = "root"'];
/** How long the daemon may take to listen, in milliseconds. */
const START_DEADLINE = 30_000;

export interface Libvirtd extends AsyncDisposable {
	readonly socket: string;
	/** A connection URI of that driver (`test`, `qemu`) through this daemon. */
	uri(driver: string, path: string): string;
}

/** Starts libvirtd; ended, with everything of it, when disposed. */
export async function startLibvirtd(): Promise<Libvirtd> {
	const folder = temporaryFolder();
	const config = folder.file("libvirtd.conf");
	writeFileSync(
		config,
		[`unix_sock_dir = "${folder.path}"`, 'auth_unix_rw = "none"', 'auth_unix_ro = "none"'].join("\n"),
	);
	const script = [
		"mount --make-rprivate /",
		...OWN_FOLDERS.map((path) => `[ ! -d ${path} ] || mount -t tmpfs tmpfs ${path}`),
		"mkdir -p /run/libvirt /etc/libvirt/qemu",
		`printf '%s\\n' ${QEMU_CONF.map((line) => `'${line}'`).join(" ")} > /etc/libvirt/qemu.conf`,
		`exec /usr/sbin/libvirtd -f '${config}' -p '${folder.file("pid")}'`,
	].join(" && ");
	const namespaces = process.getuid?.() === 0 ? ["-m"] : ["-r", "-m"];
	const child = spawn("unshare", [...namespaces, "sh", "-c", script], { stdio: ["ignore", "ignore", "pipe"] });
	let log = "";
	child.stderr.setEncoding("utf8").on("data", (text: string) => {
		log += text;
	});
	const socket = folder.file("libvirt-sock");
	const deadline = Date.now() + START_DEADLINE;
	while (!existsSync(socket)) {
		if (child.exitCode !== null || Date.now() > deadline) throw new Error(`libvirtd does not listen:\n${log}`);
		await delay(50);
	}
	return {
		socket,
		uri: (driver, path) => `${driver}+unix://${path}?socket=${socket}`,
		[Symbol.asyncDispose]: async () => {
			const ended = once(child, "exit");
			child.kill();
			if (child.exitCode === null) await ended;
			folder[Symbol.dispose]();
		},
	};
}
