// One disk of a running guest as TypeScript sees it: its block jobs with their progress, its size, its write threshold.

import { setTimeout as delay } from "node:timers/promises";
import type { TypedParameter } from "@virtkit/protocol/types/typed-parameter";
import type { Domain } from "./domain.ts";
import { type FlagOptions, flagsOf } from "./flags.ts";

/** virDomainBlockJobType. */
const JOB_TYPES = ["unknown", "pull", "copy", "commit", "active-commit", "backup"] as const;

/** virDomainBlockCommitFlags and virDomainBlockCopyFlags, bandwidths in bytes a second. */
const COMMIT = { shallow: 1, delete: 2, active: 4, relative: 8 } as const;
const COPY = { shallow: 1, reuse: 2, transientJob: 4, synchronousWrites: 8 } as const;
const COMMIT_BYTES = 16;
const PULL_BYTES = 64;
const BYTES = 1;
const PIVOT = 2;
/** VIR_TYPED_PARAM_ULLONG. */
const ULLONG = 4;

/** How often progress is asked for, in milliseconds. */
const PROGRESS_MS = 250;

/** A block job under way. */
export interface BlockJob {
	readonly type: (typeof JOB_TYPES)[number];
	/** Bytes a second; 0 for no limit. */
	readonly bandwidth: bigint;
	/** Of `end`; equal where a pull or commit is about to end, and where a copy keeps up with the guest. */
	readonly cur: bigint;
	readonly end: bigint;
}

interface Limited {
	/** Bytes a second at most. */
	readonly bandwidth?: bigint;
}

/** A disk of a domain, by its target (`vda`) or the path of its image. */
export class Disk {
	readonly name: string;
	readonly #domain: Domain;

	constructor(domain: Domain, name: string) {
		this.#domain = domain;
		this.name = name;
	}

	/** Pulls what the images below hold into the disk's own; down to above `base`, or all. */
	async pull({ base, bandwidth = 0n }: Limited & { readonly base?: string } = {}): Promise<void> {
		const args = { path: this.name, bandwidth, flags: PULL_BYTES };
		await (base === undefined
			? this.#domain.call("DOMAIN_BLOCK_PULL", args)
			: this.#domain.call("DOMAIN_BLOCK_REBASE", { ...args, base }));
	}

	/** Commits the images from `top` down into `base`. With `active` the disk's own image is committed, until `pivot`. */
	commit(
		options: Limited & { readonly base?: string; readonly top?: string } & FlagOptions<typeof COMMIT> = {},
	): Promise<void> {
		const { base = null, top = null, bandwidth = 0n, ...flags } = options;
		const args = { disk: this.name, base, top, bandwidth, flags: flagsOf(COMMIT, flags) | COMMIT_BYTES };
		return this.#domain.call("DOMAIN_BLOCK_COMMIT", args);
	}

	/** Copies the disk to what `xml` (a `<disk>` with driver and source) names; the copy keeps up until `pivot` or `abort`. */
	copy(xml: string, options: Limited & FlagOptions<typeof COPY> = {}): Promise<void> {
		const { bandwidth, ...flags } = options;
		const params: TypedParameter[] =
			bandwidth === undefined ? [] : [{ field: "bandwidth", value: { type: ULLONG, value: bandwidth } }];
		return this.#domain.call("DOMAIN_BLOCK_COPY", {
			path: this.name,
			destxml: xml,
			params,
			flags: flagsOf(COPY, flags),
		});
	}

	/** The job under way; undefined where there is none. */
	async job(): Promise<BlockJob | undefined> {
		const { found, type, ...rest } = await this.#domain.call("DOMAIN_GET_BLOCK_JOB_INFO", {
			path: this.name,
			flags: BYTES,
		});
		return found ? { type: JOB_TYPES[type] ?? "unknown", ...rest } : undefined;
	}

	/** The job as it goes on, until it has ended or caught up with the guest. */
	async *progress(): AsyncGenerator<BlockJob, void, undefined> {
		for (let job = await this.job(); job !== undefined; job = await this.job()) {
			yield job;
			if (job.cur === job.end && job.end > 0n) return;
			await delay(PROGRESS_MS);
		}
	}

	/** Has the guest go on with the copy, or with the base of an active commit. Throws BLOCK_COPY_ACTIVE before it caught up. */
	pivot(): Promise<void> {
		return this.#domain.call("DOMAIN_BLOCK_JOB_ABORT", { path: this.name, flags: PIVOT });
	}

	/** Ends the job; the disk stays as it is. */
	abort(): Promise<void> {
		return this.#domain.call("DOMAIN_BLOCK_JOB_ABORT", { path: this.name, flags: 0 });
	}

	/** Bytes a second; 0 for no limit. */
	setSpeed(bandwidth: bigint): Promise<void> {
		return this.#domain.call("DOMAIN_BLOCK_JOB_SET_SPEED", { path: this.name, bandwidth, flags: BYTES });
	}

	/** Bytes that the guest is to see. */
	resize(size: bigint): Promise<void> {
		return this.#domain.call("DOMAIN_BLOCK_RESIZE", { disk: this.name, size, flags: BYTES });
	}

	/** An event tells once the guest writes beyond so many bytes of the image. */
	setThreshold(bytes: bigint): Promise<void> {
		return this.#domain.call("DOMAIN_SET_BLOCK_THRESHOLD", { dev: this.name, threshold: bytes, flags: 0 });
	}
}
