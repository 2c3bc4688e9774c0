// Reads the facts about the host from /proc and /sys (Linux: Documentation/ABI/testing/sysfs-devices-system-cpu and others).

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { hostArch } from "./arch.ts";
import type { CacheBank, CpuPlace, HostFacts, HostProcessor, NumaCell } from "./host-facts.ts";

/** Smallest cache level that hosts are described with. */
const MIN_CACHE_LEVEL = 3;
const CACHE_TYPES = { Instruction: "code", Data: "data", Unified: "both" } as const;

/** The facts about the machine whose file systems are below `root`. */
export function readHostFacts(root = "/"): HostFacts {
	return new HostReader(root).read();
}

class HostReader {
	readonly #root: string;

	constructor(root: string) {
		this.#root = root;
	}

	read(): HostFacts {
		const cells = this.#cells();
		const cpus = cells.flatMap((cell) => cell.cpus);
		return {
			arch: hostArch(),
			uuid: this.#uuid(),
			processor: parseProcessor(this.#text("proc/cpuinfo")),
			topology: topologyOf(cpus),
			cells,
			caches: this.#caches(),
			pageSizesKib: this.#pageSizes("sys/kernel/mm/hugepages"),
			suspendTargets: this.#suspendTargets(),
			iommu: this.#names("sys/kernel/iommu_groups").length > 0,
			vfio: this.#names("sys/kernel/iommu_groups").length > 0 && this.#exists("dev/vfio/vfio"),
		};
	}

	/** The firmware's UUID; where it has none, the one that the operating system gave the machine. */
	#uuid(): string | undefined {
		const text = this.#text("sys/class/dmi/id/product_uuid").trim() || this.#text("etc/machine-id").trim();
		const digits = text.replaceAll("-", "").toLowerCase();
		if (!/^[0-9a-f]{32}$/.test(digits) || /^(.)\1*$/.test(digits)) return undefined;
		return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
	}

	#cells(): NumaCell[] {
		const folder = "sys/devices/system/node";
		const ids = numbersOf(this.#names(folder), "node");
		if (ids.length === 0) return [this.#onlyCell()];
		return ids.map((id) => {
			const node = `${folder}/node${id}`;
			const total = /MemTotal:\s+(\d+) kB/.exec(this.#text(`${node}/meminfo`));
			const memoryKib = Number(total?.[1] ?? 0);
			const distances = this.#text(`${node}/distance`).trim().split(/\s+/).filter(Boolean);
			return {
				id,
				memoryKib,
				pages: this.#pages(`${node}/hugepages`, memoryKib),
				distances: distances.map((value, index) => ({ id: ids[index] ?? index, value: Number(value) })),
				cpus: this.#places(parseList(this.#text(`${node}/cpulist`))),
			};
		});
	}

	/** Of a kernel without NUMA. */
	#onlyCell(): NumaCell {
		const memoryKib = Number(/MemTotal:\s+(\d+) kB/.exec(this.#text("proc/meminfo"))?.[1] ?? 0);
		const cpus = this.#places(parseList(this.#text("sys/devices/system/cpu/online")));
		return { id: 0, memoryKib, pages: this.#pages("sys/kernel/mm/hugepages", memoryKib), distances: [], cpus };
	}

	#places(cpus: readonly number[]): CpuPlace[] {
		return cpus.map((id) => {
			const folder = `sys/devices/system/cpu/cpu${id}/topology`;
			const number = (name: string) => Math.max(0, Number(this.#text(`${folder}/${name}`) || 0));
			const siblings = parseList(this.#text(`${folder}/thread_siblings_list`));
			return {
				id,
				socket: number("physical_package_id"),
				die: number("die_id"),
				core: number("core_id"),
				siblings: siblings.length > 0 ? siblings : [id],
			};
		});
	}

	/** All page sizes with how many pages there are; what is no huge page is made of the smallest. */
	#pages(folder: string, memoryKib: number): NumaCell["pages"] {
		const [base = 4, ...huge] = this.#pageSizes(folder);
		const counts = huge.map((sizeKib) => ({
			sizeKib,
			count: Number(this.#text(`${folder}/hugepages-${sizeKib}kB/nr_hugepages`) || 0),
		}));
		const hugeKib = counts.reduce((sum, { sizeKib, count }) => sum + sizeKib * count, 0);
		return [{ sizeKib: base, count: Math.floor((memoryKib - hugeKib) / base) }, ...counts];
	}

	#pageSizes(folder: string): number[] {
		const pageSize = /KernelPageSize:\s+(\d+) kB/.exec(this.#text("proc/self/smaps"));
		const huge = this.#names(folder).map((name) => Number(/^hugepages-(\d+)kB$/.exec(name)?.[1]));
		return [Number(pageSize?.[1] ?? 4), ...huge.filter((size) => size > 0).sort((a, b) => a - b)];
	}

	#caches(): CacheBank[] {
		const banks = new Map<string, CacheBank>();
		for (const cpu of parseList(this.#text("sys/devices/system/cpu/online")))
			for (const index of numbersOf(this.#names(`sys/devices/system/cpu/cpu${cpu}/cache`), "index")) {
				const bank = this.#bank(`sys/devices/system/cpu/cpu${cpu}/cache/index${index}`);
				if (bank) banks.set(JSON.stringify(bank), bank);
			}
		return [...banks.values()].sort((a, b) => a.level - b.level || a.id - b.id);
	}

	#bank(folder: string): CacheBank | undefined {
		const text = (name: string) => this.#text(`${folder}/${name}`).trim();
		const [level, id, size] = [Number(text("level")), text("id"), /^(\d+)K$/.exec(text("size"))];
		const type = CACHE_TYPES[text("type") as keyof typeof CACHE_TYPES];
		if (level < MIN_CACHE_LEVEL || id === "" || size === null || type === undefined) return undefined;
		return { id: Number(id), level, type, sizeKib: Number(size[1]), cpus: text("shared_cpu_list") };
	}

	/** Only where somebody is there to carry it out: systemd. */
	#suspendTargets(): HostFacts["suspendTargets"] {
		if (!this.#exists("run/systemd/system")) return [];
		const states = this.#text("sys/power/state").trim().split(/\s+/);
		const [mem, disk] = [states.includes("mem"), states.includes("disk")];
		return [
			...(mem ? ["suspend_mem" as const] : []),
			...(disk ? ["suspend_disk" as const] : []),
			...(mem && disk ? ["suspend_hybrid" as const] : []),
		];
	}

	#text(path: string): string {
		try {
			return readFileSync(join(this.#root, path), "utf8");
		} catch {
			return "";
		}
	}

	#names(path: string): string[] {
		try {
			return readdirSync(join(this.#root, path));
		} catch {
			return [];
		}
	}

	#exists(path: string): boolean {
		return existsSync(join(this.#root, path));
	}
}

/** The first processor of /proc/cpuinfo. */
export function parseProcessor(cpuinfo: string): HostProcessor {
	const fields = new Map<string, string>();
	for (const line of (cpuinfo.split("\n\n", 1)[0] ?? "").split("\n")) {
		const [name = "", value = ""] = line.split(/\s*:\s*/, 2);
		fields.set(name.trim(), value.trim());
	}
	const number = (name: string) => Number(fields.get(name) ?? 0);
	const microcode = fields.get("microcode");
	const bits = /^(\d+) bits physical/.exec(fields.get("address sizes") ?? "");
	return {
		vendor: fields.get("vendor_id") ?? "",
		family: number("cpu family"),
		model: number("model"),
		stepping: number("stepping"),
		microcode: microcode === undefined ? undefined : Number(microcode),
		flags: (fields.get("flags") ?? fields.get("Features") ?? "").split(/\s+/).filter(Boolean),
		physicalAddressBits: bits ? Number(bits[1]) : undefined,
	};
}

function topologyOf(cpus: readonly CpuPlace[]): HostFacts["topology"] {
	const count = (keyOf: (cpu: CpuPlace) => string) => new Set(cpus.map(keyOf)).size;
	const sockets = Math.max(
		1,
		count(({ socket }) => `${socket}`),
	);
	const dies = Math.max(
		sockets,
		count(({ socket, die }) => `${socket} ${die}`),
	);
	const cores = Math.max(
		dies,
		count(({ socket, die, core }) => `${socket} ${die} ${core}`),
	);
	return {
		sockets,
		dies: Math.floor(dies / sockets),
		cores: Math.floor(cores / dies),
		threads: Math.max(1, Math.floor(cpus.length / cores)),
	};
}

/** `0-3,8` as 0, 1, 2, 3, 8. */
export function parseList(text: string): number[] {
	return text
		.trim()
		.split(",")
		.filter((part) => part !== "")
		.flatMap((part) => {
			const [first = 0, last = first] = part.split("-").map(Number);
			return Array.from({ length: last - first + 1 }, (_, index) => first + index);
		});
}

/** The numbers behind `prefix` among `names`, in order. */
function numbersOf(names: readonly string[], prefix: string): number[] {
	const numbers = names.map((name) => new RegExp(`^${prefix}(\\d+)$`).exec(name)?.[1]);
	return numbers
		.filter((digits) => digits !== undefined)
		.map(Number)
		.sort((a, b) => a - b);
}
