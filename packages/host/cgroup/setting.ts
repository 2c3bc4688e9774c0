// The knobs of a control group as one table: each row says which file holds it in v1 and v2, in which range and notation.

import { VirtError } from "@virtkit/base/errors";
import type { Controller } from "./mounts.ts";

/** A number in a file; `undefined` stands for no limit. */
export interface NumberFile {
	/** Candidates, the first that exists counts. */
	readonly files: readonly string[];
	readonly range?: readonly [min: number, max: number];
	/** What the file says for no limit. */
	readonly unlimited?: string;
	/** Bytes in the file for one unit outside. */
	readonly scale?: number;
	/** The value is the file's word of this index, the others are kept (cpu.max). */
	readonly word?: number;
	/** The value is written after this word (io.weight). */
	readonly prefix?: string;
}

/** A knob: its controller and its file in either version. */
export interface NumberSetting {
	readonly controller: Controller;
	/** As libvirt calls it in errors. */
	readonly name: string;
	readonly v1: NumberFile;
	readonly v2: NumberFile;
}

// libvirt's ranges for both versions; the kernel's own for cpu.weight, which libvirt passes on and lets fail.
const SHARES = [2, 262_144] as const;
const WEIGHT = [1, 10_000] as const;
const PERIOD = [1000, 1_000_000] as const;
const QUOTA = [1000, 17_592_186_044_415] as const;
const KIB = 1024;

/** kernel: Documentation/admin-guide/cgroup-v1, cgroup-v2.rst. Periods and quotas in µs, memory in KiB. */
export const NUMBER_SETTINGS = {
	cpuShares: {
		controller: "cpu",
		name: "shares",
		v1: { files: ["cpu.shares"], range: SHARES },
		v2: { files: ["cpu.weight"], range: WEIGHT },
	},
	cpuPeriod: {
		controller: "cpu",
		name: "cfs_period",
		v1: { files: ["cpu.cfs_period_us"], range: PERIOD },
		v2: { files: ["cpu.max"], range: PERIOD, word: 1 },
	},
	cpuQuota: {
		controller: "cpu",
		name: "cfs_quota",
		v1: { files: ["cpu.cfs_quota_us"], range: QUOTA, unlimited: "-1" },
		v2: { files: ["cpu.max"], range: QUOTA, unlimited: "max", word: 0 },
	},
	memoryHardLimit: {
		controller: "memory",
		name: "hard_limit",
		v1: { files: ["memory.limit_in_bytes"], unlimited: "-1", scale: KIB },
		v2: { files: ["memory.max"], unlimited: "max", scale: KIB },
	},
	memorySoftLimit: {
		controller: "memory",
		name: "soft_limit",
		v1: { files: ["memory.soft_limit_in_bytes"], unlimited: "-1", scale: KIB },
		v2: { files: ["memory.high"], unlimited: "max", scale: KIB },
	},
	swapHardLimit: {
		controller: "memory",
		name: "swap_hard_limit",
		v1: { files: ["memory.memsw.limit_in_bytes"], unlimited: "-1", scale: KIB },
		v2: { files: ["memory.swap.max"], unlimited: "max", scale: KIB },
	},
	blkioWeight: {
		controller: "blkio",
		name: "weight",
		v1: { files: ["blkio.bfq.weight", "blkio.weight"], range: [1, 1000] },
		v2: { files: ["io.bfq.weight", "io.weight"], range: [1, 10_000], prefix: "default " },
	},
} as const satisfies Record<string, NumberSetting>;

export type NumberSettingName = keyof typeof NUMBER_SETTINGS;

/** v1 reports "no limit" as the largest number of pages, in bytes. */
const V1_UNLIMITED = 0x7fff_ffff_ffff_f000n;

/** The value in the file's text. */
export function parseSetting(file: NumberFile, text: string): number | undefined {
	const words = text.trim().split(/\s+/);
	const [first = ""] = words;
	// "default 100" and "100" both occur (io.weight, io.bfq.weight).
	const word = file.word === undefined ? (first === "default" ? (words[1] ?? "") : first) : (words[file.word] ?? "");
	if (word === file.unlimited) return undefined;
	const value = BigInt(word);
	if (file.unlimited !== undefined && (value < 0n || value >= V1_UNLIMITED)) return undefined;
	return Number(value / BigInt(file.scale ?? 1));
}

/**
 * The text that sets the file to `value`, given what it holds now.
 *
 * @throws VirtError INVALID_ARG naming the knob, the value and its range.
 */
export function formatSetting(name: string, file: NumberFile, value: number | undefined, current: string): string {
	if (value === undefined && file.unlimited === undefined) {
		throw new VirtError("INVALID_ARG", `${name} cannot be unlimited`, { domain: "NONE" });
	}
	if (value !== undefined && file.range !== undefined && (value < file.range[0] || value > file.range[1])) {
		const [min, max] = file.range;
		throw new VirtError("INVALID_ARG", `${name} '${value}' must be in range [${min}, ${max}]`, { domain: "NONE" });
	}
	const word = value === undefined ? (file.unlimited ?? "") : `${BigInt(value) * BigInt(file.scale ?? 1)}`;
	if (file.word === undefined) return `${file.prefix ?? ""}${word}`;
	const words = current.trim().split(/\s+/);
	words[file.word] = word;
	return words.join(" ");
}
