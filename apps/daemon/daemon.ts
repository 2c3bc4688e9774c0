// The composition root: builds the driver and the server of one instance, wires them, and takes them down in order.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { acquireLockFile, type LockFile } from "@virtkit/host/lock-file";
import { peerCredentials, socketDescriptor } from "@virtkit/host/native";
import { createQemuDriver, type QemuDriver } from "@virtkit/qemu/driver";
import { readSettings } from "@virtkit/qemu/settings-file";
import { allHandlers } from "@virtkit/rpc-server/handlers/all";
import { type IdentifyPeer, type Listener, listenTcp, listenUnix } from "@virtkit/rpc-server/listen";
import { RpcServer } from "@virtkit/rpc-server/server";
import { connectPeer } from "./connect-peer.ts";
import { defaultUser } from "./default-user.ts";
import type { HttpFrontEnd } from "./http.ts";
import { type InstanceFolders, instanceFolders, makeFolders } from "./instance.ts";
import type { DaemonLog } from "./log.ts";
import type { DaemonOptions, HttpAddress } from "./options.ts";
import { readDaemonSettings } from "./settings-file.ts";

/** Where libvirt's clients look for qemu:///system. */
const LIBVIRT_RUN = "/run/libvirt";

/** How long calls under way may still take when the daemon ends, in milliseconds. */
const CLOSE_GRACE_MS = 3000;

/** A running daemon. Disposing it lets guests run on. */
export class Daemon implements AsyncDisposable {
	readonly folders: InstanceFolders;
	/** Where it listens. */
	readonly addresses: readonly string[];
	readonly #server: RpcServer;
	readonly #driver: QemuDriver;
	readonly #listeners: readonly Listener[];
	readonly #http: HttpFrontEnd | undefined;
	readonly #lock: LockFile;

	private constructor(
		folders: InstanceFolders,
		lock: LockFile,
		driver: QemuDriver,
		server: RpcServer,
		listeners: readonly Listener[],
		http: HttpFrontEnd | undefined,
	) {
		this.folders = folders;
		this.addresses = [...listeners, ...(http ? [http] : [])].map(({ address }) => address);
		this.#http = http;
		this.#lock = lock;
		this.#driver = driver;
		this.#server = server;
		this.#listeners = listeners;
	}

	/** Starts an instance: takes its lock, finds its guests again, and listens. Throws VirtError when another daemon has it. */
	static async start(options: DaemonOptions, log: DaemonLog): Promise<Daemon> {
		const uid = process.getuid?.() ?? 0;
		const folders = instanceFolders(options.root, uid, process.env);
		makeFolders(folders);
		const lock = acquireLockFile(join(folders.run, "virtkit.pid"));
		const { httpListen } = readDaemonSettings(join(folders.etc, "virtkit.conf"), (key) =>
			log.warn({ key }, "virtkit.conf: this key is not known"),
		);
		const driver = await createQemuDriver({
			folders,
			session: uid !== 0,
			connectPeer,
			settings: {
				...defaultUser(uid),
				...readSettings(join(folders.etc, "qemu.conf"), (key) =>
					log.warn({ key }, "qemu.conf: this key is not honoured"),
				),
			},
			log: {
				debug: (message, facts = {}) => log.debug(facts, message),
				info: (message, facts = {}) => log.info(facts, message),
				warn: (message, facts = {}) => log.warn(facts, message),
				error: (message, facts = {}) => log.error(facts, message),
			},
		});
		const server = new RpcServer({ handlers: allHandlers(driver), logger: log });
		const listeners = await listen(server, folders, options);
		const http = await startHttp(driver, server, options.http ?? httpListen, log);
		return new Daemon(folders, lock, driver, server, listeners, http);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await Promise.all([...this.#listeners.map((listener) => listener.close()), this.#http?.[Symbol.asyncDispose]()]);
		await this.#server.close(CLOSE_GRACE_MS);
		await this.#driver[Symbol.asyncDispose]();
		this.#lock.release();
	}
}

/** The HTTP front-end where one is wanted: what a daemon does not need is not loaded. */
async function startHttp(
	driver: QemuDriver,
	server: RpcServer,
	where: HttpAddress | undefined,
	log: DaemonLog,
): Promise<HttpFrontEnd | undefined> {
	if (where === undefined) return undefined;
	const http = await import("./http.ts");
	return await http.startHttp(driver, server, where, log);
}

const identify: IdentifyPeer = (socket) => peerCredentials(socketDescriptor(socket));

async function listen(server: RpcServer, folders: InstanceFolders, options: DaemonOptions): Promise<Listener[]> {
	const places = [folders.run];
	if (options.libvirtSockets) {
		mkdirSync(LIBVIRT_RUN, { recursive: true, mode: 0o755 });
		places.push(LIBVIRT_RUN);
	}
	// Whoever may connect read-write can do anything root can: until there is authentication, only the daemon's own user.
	const listeners: Listener[] = [];
	for (const place of places) {
		listeners.push(await listenUnix(server, { path: join(place, "libvirt-sock"), mode: 0o700, identify }));
		listeners.push(
			await listenUnix(server, { path: join(place, "libvirt-sock-ro"), mode: 0o777, readOnly: true, identify }),
		);
	}
	if (options.tcp) listeners.push(await listenTcp(server, options.tcp));
	return listeners;
}
