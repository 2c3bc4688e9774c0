// Where the driver keeps what: one function from an instance's folders to every file and folder of the driver and its guests.

import { mkdirSync } from "node:fs";
import { join } from "node:path";

/** An instance's folders; everything of the driver lies in `qemu` below each. */
export interface InstanceFolders {
	/** Definitions. */
	readonly etc: string;
	/** State that outlives a boot. */
	readonly lib: string;
	/** State of this boot. */
	readonly run: string;
	readonly log: string;
	/** What can be found out again; `lib`/cache unless given. */
	readonly cache?: string;
}

/** The driver's files and folders, with libvirt's names below the instance's folders. */
export interface DriverPaths {
	/** NAME.xml, one file a persistent domain: etc/qemu. */
	readonly definitions: string;
	/** Changes of definitions that the disk may not have yet: lib/definitions.journal. */
	readonly journal: string;
	/** NAME.xml links to definitions that start with the host; NAME.xml.once to those that do so once. */
	readonly autostart: string;
	/** NAME.xml, one file a running domain: run/qemu. */
	readonly status: string;
	/** Holds the id of the boot whose autostart is done. */
	readonly autostartMarker: string;
	/** domain-ID-NAME, a private folder of each running guest: lib/qemu. */
	readonly lib: string;
	/** Folders of guests' channel sockets. */
	readonly channels: string;
	readonly nvram: string;
	/** UUID, a folder of the state of each domain's emulated TPM: lib/swtpm. */
	readonly swtpm: string;
	readonly save: string;
	readonly dump: string;
	readonly snapshots: string;
	readonly checkpoints: string;
	/** NAME.log, what QEMU and the driver say about a guest: log/qemu. */
	readonly log: string;
	readonly capabilities: string;
}

/** The driver's places below an instance's folders. */
export function driverPaths({ etc, lib, run, log, cache = join(lib, "cache") }: InstanceFolders): DriverPaths {
	const own = join(lib, "qemu");
	return {
		definitions: join(etc, "qemu"),
		journal: join(lib, "definitions.journal"),
		autostart: join(etc, "qemu", "autostart"),
		status: join(run, "qemu"),
		autostartMarker: join(run, "qemu", "autostarted"),
		lib: own,
		channels: join(own, "channel", "target"),
		nvram: join(own, "nvram"),
		swtpm: join(lib, "swtpm"),
		save: join(own, "save"),
		dump: join(own, "dump"),
		snapshots: join(own, "snapshot"),
		checkpoints: join(own, "checkpoint"),
		log: join(log, "qemu"),
		capabilities: join(cache, "qemu", "capabilities"),
	};
}

/** Makes the folders. Those that hold guests' own folders can be passed through by the users that guests run as. */
export function makeDriverFolders(paths: DriverPaths): void {
	for (const folder of [paths.lib, paths.channels, paths.nvram, paths.save, paths.dump])
		mkdirSync(folder, { recursive: true, mode: 0o711 });
	for (const folder of [paths.definitions, paths.autostart, paths.status, paths.log, paths.capabilities])
		mkdirSync(folder, { recursive: true, mode: 0o700 });
}
