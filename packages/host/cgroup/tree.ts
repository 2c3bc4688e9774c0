// Makes the groups of one daemon's guests below a folder of the daemon's own, with whatever controllers the host lets it use.

import { existsSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemError } from "../system-error.ts";
import { whyNoDevicePrograms } from "./device-program.ts";
import { Cgroup, makeGroupFolder, removeGroupFolder, THREAD_CONTROLLERS } from "./group.ts";
import { type CgroupMounts, CONTROLLERS, type Controller, readCgroupMounts } from "./mounts.ts";

/** libvirt puts guests of hosts without systemd into this group of the root. */
const MACHINE = "machine";
const SUFFIX = ".libvirt-qemu";

/** v2's names of the controllers that must be enabled; the others come with every group. */
const V2_NAMES = { cpu: "cpu", cpuset: "cpuset", memory: "memory", blkio: "io" } as const;

/** A controller that guests go without, and why. */
export interface MissingController {
	readonly controller: Controller;
	readonly reason: string;
}

export interface CgroupTreeOptions {
	/** Tells this daemon's guests from another's on the same host. */
	readonly instance: string;
	/** "/" but in tests. */
	readonly root?: string;
}

/** A guest's groups: the whole guest's, and those of its threads. */
export interface GuestCgroups {
	readonly guest: Cgroup;
	/** The group of one kind of thread ("emulator", "vcpu0", "iothread1"), made when first asked for. */
	thread(name: string): Cgroup;
}

/** A name of any length and any bytes, as one that a group may have. */
function folderName(name: string): string {
	// A name beginning with "cgroup." or a controller's could be taken for a kernel file.
	const safe = name.replaceAll(/[^A-Za-z0-9._+:@-]/g, "_").slice(0, 200);
	return `${safe}${SUFFIX}`;
}

const reasonOf = (error: unknown, what: string) => systemError(what, error).detail ?? "";

/** Makes groups below `machine/virtkit-INSTANCE` in every hierarchy that it can write to. */
export class CgroupTree {
	readonly version: 1 | 2 | undefined;
	/** What guests go without on this host. */
	readonly missing: readonly MissingController[];
	readonly #folders = new Map<Controller, string>();

	constructor(options: CgroupTreeOptions) {
		const mounts = readCgroupMounts(options.root);
		const missing: MissingController[] = [];
		this.version = mounts.v1.size > 0 ? 1 : mounts.v2 === undefined ? undefined : 2;
		const group = [MACHINE, `virtkit-${options.instance.replaceAll(/[^A-Za-z0-9._-]/g, "_")}`];
		if (this.version === 1) this.#openV1(mounts, group, missing);
		else if (this.version === 2) this.#openV2(mounts, group, missing);
		else for (const controller of CONTROLLERS) missing.push({ controller, reason: "no control groups are mounted" });
		this.missing = missing;
		// Making the folders showed what can be had; a daemon without guests leaves none.
		this.#tidy();
	}

	#openV1(mounts: CgroupMounts, group: readonly string[], missing: MissingController[]): void {
		for (const controller of CONTROLLERS) {
			const mount = mounts.v1.get(controller);
			if (mount === undefined) {
				missing.push({ controller, reason: "the v1 controller is not mounted" });
				continue;
			}
			try {
				this.#folders.set(controller, makeGroups(mount.folder, group, inheritCpuset));
			} catch (error) {
				missing.push({ controller, reason: reasonOf(error, `cannot make a group below '${mount.folder}'`) });
			}
		}
	}

	#openV2(mounts: CgroupMounts, group: readonly string[], missing: MissingController[]): void {
		const base = mounts.v2?.folder ?? "";
		let folder: string;
		try {
			folder = makeGroups(base, group, (made) => enableControllers(join(made, "..")));
			enableControllers(folder);
		} catch (error) {
			const reason = reasonOf(error, `cannot make a group below '${base}'`);
			for (const controller of CONTROLLERS) missing.push({ controller, reason });
			return;
		}
		const enabled = readWords(join(folder, "cgroup.subtree_control"));
		for (const controller of CONTROLLERS) {
			const name = (V2_NAMES as Partial<Record<Controller, string>>)[controller];
			const without = controller === "devices" ? whyNoDevicePrograms(folder) : undefined;
			if (without !== undefined) missing.push({ controller, reason: without });
			else if (name !== undefined && !enabled.includes(name)) {
				missing.push({ controller, reason: `the v2 controller ${name} is not available in '${folder}'` });
			} else this.#folders.set(controller, folder);
		}
	}

	/** Whether guests get a group at all. */
	get usable(): boolean {
		return this.#folders.size > 0;
	}

	/** Makes the group of a guest, or opens it where it exists. @throws VirtError SYSTEM_ERROR. */
	create(name: string): GuestCgroups {
		const { version } = this;
		if (version === undefined || !this.usable) return guestCgroups(new Cgroup({ version: 1, folders: new Map() }));
		const folders = new Map<Controller, string>();
		for (const [controller, parent] of this.#folders) {
			const folder = join(parent, folderName(name));
			const prepare = version === 1 ? inheritCpuset : enableControllers;
			makeOrThrow(join(parent, ".."), prepare);
			makeOrThrow(parent, prepare);
			makeOrThrow(folder, version === 1 ? inheritCpuset : undefined);
			folders.set(controller, folder);
		}
		return guestCgroups(new Cgroup({ version, folders }, () => this.#tidy()));
	}

	/** The group of a guest started earlier, undefined when it is gone. */
	open(name: string): GuestCgroups | undefined {
		const folders = new Map<Controller, string>();
		for (const [controller, parent] of this.#folders) {
			const folder = join(parent, folderName(name));
			if (existsSync(folder)) folders.set(controller, folder);
		}
		if (folders.size === 0 || this.version === undefined) return undefined;
		return guestCgroups(new Cgroup({ version: this.version, folders }, () => this.#tidy()));
	}

	/** Removes this daemon's folders while they hold no guest. */
	#tidy(): void {
		for (const folder of new Set(this.#folders.values())) {
			try {
				rmdirSync(folder);
			} catch {
				// A guest's group is in it.
			}
		}
	}

	/** Removes this daemon's folder and every group left in it. @throws VirtError SYSTEM_ERROR while members run. */
	async remove(): Promise<void> {
		for (const folder of new Set(this.#folders.values())) await removeGroupFolder(folder);
	}
}

function guestCgroups(guest: Cgroup): GuestCgroups {
	const threads = new Map<string, Cgroup>();
	return {
		guest,
		thread: (name) => {
			const known = threads.get(name);
			if (known !== undefined) return known;
			const made = makeThreadGroup(guest, name);
			threads.set(name, made);
			return made;
		},
	};
}

function makeThreadGroup(guest: Cgroup, name: string): Cgroup {
	const { version } = guest.place;
	const folders = new Map<Controller, string>();
	for (const controller of THREAD_CONTROLLERS) {
		const parent = guest.place.folders.get(controller);
		if (parent === undefined) continue;
		const folder = join(parent, name);
		makeOrThrow(folder, version === 1 ? inheritCpuset : makeThreaded);
		folders.set(controller, folder);
	}
	return new Cgroup({ version, folders });
}

function makeOrThrow(folder: string, prepare: ((folder: string) => void) | undefined): void {
	try {
		if (makeGroupFolder(folder)) prepare?.(folder);
	} catch (error) {
		throw systemError(`Failed to create control group '${folder}'`, error);
	}
}

function makeGroups(base: string, group: readonly string[], prepare: (folder: string) => void): string {
	let folder = base;
	for (const part of group) {
		folder = join(folder, part);
		makeGroupFolder(folder);
		prepare(folder);
	}
	return folder;
}

/** A new v1 cpuset group has no CPUs and takes no member until it gets its parent's. */
function inheritCpuset(folder: string): void {
	for (const file of ["cpuset.cpus", "cpuset.mems"]) {
		const own = join(folder, file);
		if (!existsSync(own) || readFileSync(own, "latin1").trim() !== "") continue;
		writeFileSync(own, readFileSync(join(folder, "..", file)));
	}
}

/** Turns a v2 group below a guest's into one for threads, and gives it the controllers that threads may have. */
function makeThreaded(folder: string): void {
	writeFileSync(join(folder, "cgroup.type"), "threaded");
	const parent = join(folder, "..");
	enableControllers(parent, ["cpu", "cpuset"]);
}

function enableControllers(folder: string, wanted: readonly string[] = Object.values(V2_NAMES)): void {
	const available = readWords(join(folder, "cgroup.controllers"));
	const enabled = readWords(join(folder, "cgroup.subtree_control"));
	for (const name of wanted) {
		if (!available.includes(name) || enabled.includes(name)) continue;
		try {
			writeFileSync(join(folder, "cgroup.subtree_control"), `+${name}`);
		} catch {
			// One controller that cannot be had is told by `missing`; the others still serve.
		}
	}
}

const readWords = (path: string) => readFileSync(path, "latin1").trim().split(/\s+/);
