// One control group: its knobs, its members, its use of CPU and memory, whichever version the host has.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { VirtError } from "@virtkit/base/errors";
import { formatCpuList, parseCpuList } from "../process-stat.ts";
import { errnoOf, isErrno, systemError } from "../system-error.ts";
import type { Controller } from "./mounts.ts";
import { formatSetting, NUMBER_SETTINGS, type NumberFile, type NumberSettingName, parseSetting } from "./setting.ts";

/** Where a group lies: its folder under each controller; in v2 they are all the same one. */
export interface GroupPlace {
	readonly version: 1 | 2;
	readonly folders: ReadonlyMap<Controller, string>;
}

/** The controllers that a guest's threads are put in singly, and whose v2 kind may be threaded. */
export const THREAD_CONTROLLERS: readonly Controller[] = ["cpu", "cpuacct", "cpuset"];

/** CPU time used by a group, ns. */
export interface CpuUsage {
	readonly usageNs: bigint;
	readonly userNs: bigint;
	readonly systemNs: bigint;
}

const CPUSET_FILES = { cpus: "cpuset.cpus", mems: "cpuset.mems" } as const;

/** A control group that exists. */
export class Cgroup {
	readonly place: GroupPlace;
	readonly #removed: () => void;

	/** `removed` is called after `remove` did its work. */
	constructor(place: GroupPlace, removed: () => void = () => undefined) {
		this.place = place;
		this.#removed = removed;
	}

	/** Whether the group has this controller, so that its knobs work. */
	has(controller: Controller): boolean {
		return this.place.folders.has(controller);
	}

	/** The distinct folders of the group. */
	get folders(): string[] {
		return [...new Set(this.place.folders.values())];
	}

	/** The files a process writes "0" or its number into to become a member (`beforeExec.cgroupProcs` of a spawn). */
	get procsFiles(): string[] {
		return this.folders.map((folder) => join(folder, "cgroup.procs"));
	}

	/** Puts a whole process into the group. On v1 the kernel may take some 15 ms, so this does not block. */
	async addProcess(pid: number): Promise<void> {
		await this.#addTo("cgroup.procs", pid, `process ${pid}`);
	}

	/** Puts one thread into the group. */
	async addThread(tid: number): Promise<void> {
		await this.#addTo(this.place.version === 2 ? "cgroup.threads" : "tasks", tid, `thread ${tid}`);
	}

	async #addTo(file: string, id: number, what: string): Promise<void> {
		for (const folder of this.folders) {
			try {
				await writeFile(join(folder, file), `${id}`);
			} catch (error) {
				throw systemError(`cannot move ${what} to control group '${folder}'`, error);
			}
		}
	}

	/** The numbers of the processes in the group itself. */
	processes(): number[] {
		const [folder] = this.folders;
		if (folder === undefined || !existsSync(folder)) return [];
		return readLines(join(folder, "cgroup.procs")).map(Number);
	}

	/** A knob's value; undefined for no limit. */
	get(name: NumberSettingName): number | undefined {
		const [path, file] = this.#settingFile(name);
		return parseSetting(file, readText(path));
	}

	/** Sets a knob; undefined for no limit. */
	set(name: NumberSettingName, value: number | undefined): void {
		const [path, file] = this.#settingFile(name);
		const current = file.word === undefined ? "" : readText(path);
		// io.weight wants "default 100", io.bfq.weight takes the number alone.
		const plain = file.prefix !== undefined && path.endsWith("bfq.weight");
		const text = formatSetting(NUMBER_SETTINGS[name].name, file, value, current);
		writeText(path, plain && file.prefix ? text.slice(file.prefix.length) : text);
	}

	#settingFile(name: NumberSettingName): [path: string, file: NumberFile] {
		const setting = NUMBER_SETTINGS[name];
		const folder = this.#folder(setting.controller);
		const file: NumberFile = this.place.version === 2 ? setting.v2 : setting.v1;
		const found = file.files.map((candidate) => join(folder, candidate)).find((path) => existsSync(path));
		if (found !== undefined) return [found, file];
		throw new VirtError(
			"OPERATION_UNSUPPORTED",
			`the host's kernel has no ${setting.name} knob (${file.files.join(" or ")}) in control group '${folder}'`,
			{ domain: "NONE" },
		);
	}

	/** The host CPUs (or memory nodes) the group is held to; all of the parent's when it was never set. */
	getCpuset(kind: keyof typeof CPUSET_FILES): number[] {
		const folder = this.#folder("cpuset");
		const own = parseCpuList(readText(join(folder, CPUSET_FILES[kind])));
		if (own.length > 0) return own;
		return parseCpuList(readText(join(folder, `${CPUSET_FILES[kind]}.effective`)));
	}

	/** Holds the group to host CPUs or memory nodes. */
	setCpuset(kind: keyof typeof CPUSET_FILES, members: Iterable<number>): void {
		writeText(join(this.#folder("cpuset"), CPUSET_FILES[kind]), formatCpuList(members));
	}

	/** Stops all members in the kernel, or lets them go on. */
	freeze(frozen: boolean): void {
		if (this.place.version === 2) writeText(join(this.#folder("freezer"), "cgroup.freeze"), frozen ? "1" : "0");
		else writeText(join(this.#folder("freezer"), "freezer.state"), frozen ? "FROZEN" : "THAWED");
	}

	/** CPU time of all members, past ones included. */
	cpuUsage(): CpuUsage {
		const folder = this.#folder("cpuacct");
		if (this.place.version === 2) {
			const stat = readTable(join(folder, "cpu.stat"));
			const ns = (key: string) => (stat.get(key) ?? 0n) * 1000n;
			return { usageNs: ns("usage_usec"), userNs: ns("user_usec"), systemNs: ns("system_usec") };
		}
		const ns = (file: string) => BigInt(readText(join(folder, file)).trim());
		return {
			usageNs: ns("cpuacct.usage"),
			userNs: ns("cpuacct.usage_user"),
			systemNs: ns("cpuacct.usage_sys"),
		};
	}

	/** Memory charged to the group, KiB. */
	memoryUsageKib(): number {
		const file = this.place.version === 2 ? "memory.current" : "memory.usage_in_bytes";
		return Number(BigInt(readText(join(this.#folder("memory"), file)).trim()) / 1024n);
	}

	/** The kernel's breakdown of that memory (memory.stat), bytes by the kernel's own names. */
	memoryStat(): ReadonlyMap<string, bigint> {
		return readTable(join(this.#folder("memory"), "memory.stat"));
	}

	/** @throws VirtError OPERATION_INVALID with libvirt's wording when the controller is not there. */
	#folder(controller: Controller): string {
		const folder = this.place.folders.get(controller);
		if (folder !== undefined) return folder;
		throw new VirtError("OPERATION_INVALID", `cgroup ${controller.toUpperCase()} controller is not mounted`);
	}

	/** The folder of a controller, for the modules beside this one. */
	folderOf(controller: Controller): string {
		return this.#folder(controller);
	}

	/**
	 * Removes the group and the groups below it.
	 *
	 * The kernel refuses while a member is still being reaped, so it is tried for up to two seconds.
	 * @throws VirtError SYSTEM_ERROR (EBUSY) when members remain.
	 */
	async remove(): Promise<void> {
		for (const folder of this.folders) await removeGroupFolder(folder);
		this.#removed();
	}
}

/** Removes a group's folder and those below it, waiting up to two seconds for its last members to be reaped. */
export async function removeGroupFolder(folder: string): Promise<void> {
	const deadline = performance.now() + 2000;
	for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
		try {
			removeTree(folder);
			return;
		} catch (error) {
			if (!isErrno(error, "EBUSY") || performance.now() > deadline) {
				throw systemError(`cannot remove control group '${folder}'`, error);
			}
		}
		await delay(pause);
	}
}

function removeTree(folder: string): void {
	let entries: string[];
	try {
		entries = readdirSync(folder, { withFileTypes: true })
			.filter((entry) => entry.isDirectory())
			.map((entry) => entry.name);
	} catch (error) {
		if (isErrno(error, "ENOENT")) return;
		throw error;
	}
	for (const entry of entries) removeTree(join(folder, entry));
	try {
		rmdirSync(folder);
	} catch (error) {
		if (errnoOf(error) !== constants.errno.ENOENT) throw error;
	}
}

/** Makes a group's folder; false when it was there. */
export function makeGroupFolder(folder: string): boolean {
	try {
		mkdirSync(folder, { mode: 0o755 });
		return true;
	} catch (error) {
		if (isErrno(error, "EEXIST")) return false;
		throw error;
	}
}

function readText(path: string): string {
	try {
		return readFileSync(path, "latin1");
	} catch (error) {
		throw systemError(`Unable to read from '${path}'`, error);
	}
}

function writeText(path: string, text: string): void {
	try {
		writeFileSync(path, text);
	} catch (error) {
		throw systemError(`Unable to write to '${path}'`, error);
	}
}

function readLines(path: string): string[] {
	return readText(path)
		.split("\n")
		.filter((line) => line !== "");
}

function readTable(path: string): Map<string, bigint> {
	return new Map(
		readLines(path).map((line) => {
			const [key = "", value = "0"] = line.split(" ");
			return [key, BigInt(value)];
		}),
	);
}
