// Runs libvirt's own daemon in private, to ask what it does: own mount namespace, own folders, beside the system's and others.

import { spawn } from "node:child_process";
import { randomInt, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { identifyProcess, isAlive, type ProcessIdentity, terminateProcess } from "@virtkit/host/process";
import { type LibvirtClients, libvirtClients } from "./libvirt-clients.ts";
import { sharedCacheFolder } from "./shared-cache.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const LIBVIRTD = "/usr/sbin/libvirtd";
const START_DEADLINE_MS = 60_000;

/** The system's folders that libvirtd and its guests write to; each is replaced by one below the oracle's root. */
const REPLACED = {
	run: "/run/libvirt",
	lib: "/var/lib/libvirt",
	cache: "/var/cache/libvirt",
	log: "/var/log/libvirt",
	etc: "/etc/libvirt",
} as const;

export interface OracleOptions {
	/** Lets it make control groups. Off unless told: two of them with a guest of the same name would share one. */
	readonly cgroups?: boolean;
	/** Further lines for its qemu.conf. */
	readonly qemuConf?: readonly string[];
	/** Further lines for its libvirtd.conf. */
	readonly libvirtdConf?: readonly string[];
}

/** A private libvirtd; ended with all its guests when its scope ends. */
export interface Oracle extends LibvirtClients, AsyncDisposable {
	readonly root: string;
	readonly socket: string;
	readonly pid: number;
	/** What it logged. */
	log(): string;
	/** The file of a guest's QEMU command line and output. */
	guestLog(name: string): string;
}

function writeConfiguration(root: string, options: OracleOptions): void {
	const file = (name: string) => join(root, "etc", name);
	writeFileSync(
		file("libvirtd.conf"),
		[
			`unix_sock_dir = "${root}"`,
			'unix_sock_rw_perms = "0777"',
			'auth_unix_rw = "none"',
			'auth_unix_ro = "none"',
			`log_outputs = "2:file:${root}/libvirtd.log"`,
			// Each is a host of its own: guests migrate between them.
			`host_uuid = "${randomUUID()}"`,
			...(options.libvirtdConf ?? []),
			"",
		].join("\n"),
	);
	// Its migrations do not try another port where one is taken meanwhile: each has ports of its own, below those that the
	// kernel and virtkit give out.
	const firstPort = 16_000 + 32 * randomInt(500);
	const qemu = [
		`migration_port_min = ${firstPort}`,
		`migration_port_max = ${firstPort + 31}`,
		'security_driver = "none"',
		'stdio_handler = "file"',
		"namespaces = []",
		"remember_owner = 0",
		'user = "root"',
		'group = "root"',
		...(options.cgroups ? [] : ["cgroup_controllers = []"]),
		...(options.qemuConf ?? []),
		"",
	];
	writeFileSync(file("qemu.conf"), qemu.join("\n"));
}

/** Every process in the mount namespace `namespace` (what /proc/PID/ns/mnt links to). */
function processesIn(namespace: string): ProcessIdentity[] {
	const found: ProcessIdentity[] = [];
	for (const pid of readdirSync("/proc").map(Number).filter(Number.isInteger)) {
		try {
			if (readlinkSync(`/proc/${pid}/ns/mnt`) !== namespace) continue;
		} catch {
			continue;
		}
		const identity = identifyProcess(pid);
		if (identity !== undefined) found.push(identity);
	}
	return found;
}

/** Folders that outlive one oracle: what libvirtd found out about QEMU costs it seconds. */
function sharedCache(): string {
	const folder = sharedCacheFolder(`virtkit-oracle-cache-${process.getuid?.() ?? 0}`);
	mkdirSync(folder, { recursive: true });
	return folder;
}

function launchScript(root: string): string {
	const source = (name: string) => (name === "cache" ? sharedCache() : join(root, name));
	const binds = Object.entries(REPLACED).map(
		([name, path]) => `mkdir -p ${path} && mount --bind '${source(name)}' ${path}`,
	);
	// Its TLS and SASL defaults read nothing; without /dev/shm or sysfs changes the rest of the system is shared.
	return [
		"mount --make-rprivate /",
		...binds,
		`exec ${LIBVIRTD} --config '${root}/etc/libvirtd.conf' --pid-file '${root}/pid'`,
	].join(" && ");
}

/**
 * Starts a libvirtd of its own.
 *
 * @throws Error with its log when it does not listen within a minute. Needs root and Debian's libvirt-daemon.
 */
export async function startLibvirtd(options: OracleOptions = {}): Promise<Oracle> {
	const folder = temporaryFolder("vk-oracle-");
	const root = folder.path;
	for (const name of Object.keys(REPLACED)) mkdirSync(join(root, name));
	// Its guests may run as another user.
	writeConfiguration(root, options);
	const child = spawn("unshare", ["--mount", "sh", "-c", launchScript(root)], { stdio: ["ignore", "ignore", "pipe"] });
	let stderr = "";
	child.stderr.setEncoding("utf8").on("data", (text: string) => {
		stderr += text;
	});
	const pid = child.pid ?? 0;
	const log = () =>
		stderr + (existsSync(join(root, "libvirtd.log")) ? readFileSync(join(root, "libvirtd.log"), "utf8") : "");
	const socket = join(root, "libvirt-sock");
	let namespace: string | undefined;
	const end = async () => {
		const identities = namespace === undefined ? [identifyProcess(pid)] : processesIn(namespace);
		for (const identity of identities) {
			if (identity !== undefined && isAlive(identity)) {
				await terminateProcess(identity, [{ signal: "SIGKILL", deadlineMs: 20_000 }]);
			}
		}
		folder[Symbol.dispose]();
	};
	const own = readlinkSync("/proc/self/ns/mnt");
	const deadline = performance.now() + START_DEADLINE_MS;
	while (!existsSync(socket) || namespace === undefined) {
		if (child.exitCode !== null || performance.now() > deadline) {
			await end();
			throw new Error(`libvirtd does not listen:\n${log()}`);
		}
		namespace ??= namespaceOf(pid, own);
		await delay(20);
	}
	return {
		...libvirtClients(socket),
		root,
		socket,
		pid,
		log,
		guestLog: (name) => readFileSync(join(root, "log", "qemu", `${name}.log`), "utf8"),
		[Symbol.asyncDispose]: end,
	};
}

/** The process's mount namespace, once it has one of its own. */
function namespaceOf(pid: number, own: string): string | undefined {
	try {
		const namespace = readlinkSync(`/proc/${pid}/ns/mnt`);
		return namespace === own ? undefined : namespace;
	} catch {
		return undefined;
	}
}
