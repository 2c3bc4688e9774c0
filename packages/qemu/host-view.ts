// The host as definitions are completed against it: emulators, firmware, NUMA nodes, huge pages, found once and remembered.

import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseCpuList } from "@virtkit/host/process-stat";
import { hostArch } from "./capabilities/arch.ts";
import type { CapabilityCache } from "./capabilities/cache.ts";
import type { CpuExpansion, EmulatorCapabilities } from "./capabilities/emulator.ts";
import { defaultEmulator } from "./capabilities/emulators.ts";
import type { HostProcessor } from "./capabilities/host-facts.ts";
import { parseProcessor } from "./capabilities/host-reader.ts";
import { type KvmDevice, readKvmDevice } from "./capabilities/kvm-device.ts";
import { probeSwtpm } from "./capabilities/swtpm-probe.ts";
import { type FirmwareDescriptor, parseFirmwareDescriptor } from "./defaults/firmware-descriptor.ts";
import type { DriverHost } from "./driver-host.ts";
import { hostFiles } from "./host-files.ts";
import type { DriverPaths } from "./paths.ts";
import type { DriverSettings } from "./settings.ts";
import { findId } from "./user-ids.ts";

/** Thrown where a definition needs an emulator that has not been asked yet; whoever can wait asks it and starts again. */
export class EmulatorUnknown extends Error {
	readonly binary: string;

	constructor(binary: string) {
		super(`the capabilities of '${binary}' are not known yet`);
		this.binary = binary;
	}
}

/** Folders of firmware descriptors, the most important first; a name found earlier hides the later one (QEMU: firmware.json). */
const FIRMWARE_FOLDERS = ["/etc/qemu/firmware", "/usr/share/qemu/firmware"];

/** See the opening sentence. Answers at once; what takes a process to find out throws `EmulatorUnknown`. */
export class HostView implements DriverHost {
	readonly arch = hostArch();
	readonly files = hostFiles;
	readonly settings: DriverSettings;
	readonly nvramDir: string;
	readonly libDir: string;
	readonly channelDir: string;
	readonly #capabilities: CapabilityCache;
	readonly #emulators = new Map<string, string | undefined>();
	#firmware: readonly FirmwareDescriptor[] | undefined;
	#processor: HostProcessor | undefined;
	#numaNodes: readonly number[] | undefined;
	#cpus: number | undefined;
	#kvm: { readonly device: KvmDevice | undefined } | undefined;
	#hugepages: DriverHost["hugepages"] | undefined;
	#swtpm: readonly string[] | undefined;

	constructor(paths: DriverPaths, settings: DriverSettings, capabilities: CapabilityCache) {
		this.settings = settings;
		this.nvramDir = paths.nvram;
		this.libDir = paths.lib;
		this.channelDir = paths.channels;
		this.#capabilities = capabilities;
	}

	defaultEmulator(arch: string): string | undefined {
		const known = this.#emulators.get(arch);
		if (known !== undefined) return known;
		const found = defaultEmulator(this.arch, arch);
		this.#emulators.set(arch, found);
		return found;
	}

	emulatorAt(path: string): EmulatorCapabilities {
		const known = this.#capabilities.known(path);
		if (known === undefined) throw new EmulatorUnknown(path);
		return known;
	}

	/** Runs `work` again for as long as it lacks the answers of an emulator. */
	async withEmulators<T>(work: () => T): Promise<T> {
		for (;;) {
			try {
				return work();
			} catch (error) {
				if (!(error instanceof EmulatorUnknown)) throw error;
				await this.#capabilities.get(error.binary);
			}
		}
	}

	get renderNodes(): readonly string[] | undefined {
		try {
			const nodes = readdirSync("/dev/dri").filter((name) => name.startsWith("renderD"));
			return nodes.sort().map((name) => `/dev/dri/${name}`);
		} catch {
			return undefined;
		}
	}

	get firmware(): readonly FirmwareDescriptor[] {
		this.#firmware ??= readFirmware(FIRMWARE_FOLDERS);
		return this.#firmware;
	}

	get hostCpu(): CpuExpansion | undefined {
		const native = this.defaultEmulator(this.arch);
		return native === undefined ? undefined : this.emulatorAt(native).accelerator("kvm")?.hostCpu;
	}

	get processor(): HostProcessor {
		this.#processor ??= parseProcessor(readText("/proc/cpuinfo"));
		return this.#processor;
	}

	get tsc(): KvmDevice["tsc"] {
		this.#kvm ??= { device: readKvmDevice() };
		return this.#kvm.device?.tsc;
	}

	get numaNodes(): readonly number[] {
		const online = readText("/sys/devices/system/node/online");
		this.#numaNodes ??= online === "" ? [0] : parseCpuList(online);
		return this.#numaNodes;
	}

	get cpus(): number {
		this.#cpus ??= parseCpuList(readText("/sys/devices/system/cpu/present")).length || 1;
		return this.#cpus;
	}

	/** Numbers of the host CPUs that run threads now. */
	onlineCpus(): number[] {
		const online = parseCpuList(readText("/sys/devices/system/cpu/online"));
		return online.length > 0 ? online : Array.from({ length: this.cpus }, (_, cpu) => cpu);
	}

	get hugepages(): DriverHost["hugepages"] {
		this.#hugepages ??= readHugepages(this.settings.hugetlbfsMounts);
		return this.#hugepages;
	}

	/** Asked again while there is none, so that one that is installed is found. */
	get swtpm(): readonly string[] | undefined {
		this.#swtpm ??= probeSwtpm();
		return this.#swtpm;
	}

	idOf(name: string, kind: "user" | "group"): number | undefined {
		return findId(name, kind);
	}

	uuid(): string {
		return randomUUID();
	}

	now(): number {
		return Math.floor(Date.now() / 1000);
	}
}

function readText(path: string): string {
	try {
		return readFileSync(path, "utf8");
	} catch {
		return "";
	}
}

/** Descriptors in the order of their file names; an empty file hides those of its name in later folders. */
function readFirmware(folders: readonly string[]): FirmwareDescriptor[] {
	const files = new Map<string, string>();
	for (const folder of folders)
		for (const name of listJson(folder)) if (!files.has(basename(name))) files.set(name, join(folder, name));
	return [...files.keys()].sort().flatMap((name) => {
		const path = files.get(name) ?? "";
		return parseFirmwareDescriptor(path, readText(path)) ?? [];
	});
}

function listJson(folder: string): string[] {
	try {
		return readdirSync(folder).filter((name) => name.endsWith(".json"));
	} catch {
		return [];
	}
}

/** Huge page file systems among `mounts`, with the size that the kernel says each is mounted with. */
function readHugepages(mounts: readonly string[]): DriverHost["hugepages"] {
	const defaultKib = Number(/^Hugepagesize:\s+(\d+) kB$/m.exec(readText("/proc/meminfo"))?.[1] ?? 0);
	return readText("/proc/mounts")
		.split("\n")
		.map((line) => line.split(" "))
		.filter(([, mount = "", type]) => type === "hugetlbfs" && mounts.includes(mount))
		.map(([, mount = "", , options = ""]) => {
			const size = /(?:^|,)pagesize=(\d+)([KMG])/.exec(options);
			const unit = { K: 1, M: 1024, G: 1024 * 1024 }[size?.[2] ?? "K"] ?? 1;
			const kib = size ? Number(size[1]) * unit : defaultKib;
			return { kib, mount, isDefault: kib === defaultKib };
		});
}
