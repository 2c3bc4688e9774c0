// A domain's moments of one kind with their files: one XML file each, in a folder of the domain's name, replaced durably one by one.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { toVirtError, VirtError } from "@virtkit/base/errors";
import { removeFileDurablySync, removeStrayFiles, writeFileDurably } from "@virtkit/host/atomic-file";
import type { MomentDef } from "@virtkit/model/snapshot/moment";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import type { Logger } from "../logger.ts";
import type { DriverPaths } from "../paths.ts";
import { MomentTree } from "./tree.ts";

/** What a stored moment says of itself. */
export interface StoredMoment<D> {
	readonly moment: D;
	/**
	 * Above 0 where it is the one the domain is at. The highest counts: a daemon killed between two files leaves two of them,
	 * and the later one has the higher number.
	 */
	readonly current: number;
}

/** What sets a kind of moments apart. */
export interface MomentKind<D extends MomentDef> {
	/** For messages: `snapshot`. */
	readonly noun: string;
	/** Folder of the folders of all domains. */
	folder(paths: DriverPaths): string;
	/** The text of its file. */
	format(moment: D, current: number): string;
	/** What a file says. Throws where it is none. */
	parse(text: string): StoredMoment<D>;
}

const SUFFIX = ".xml";

/** See the opening sentence. What is in memory is what the files say, but for `put` and `remove` that nobody has awaited yet. */
export class Moments<D extends MomentDef> extends MomentTree<D> {
	readonly #kind: MomentKind<D>;
	readonly #folder: () => string;
	#highest = 0;

	/** Reads the files of `folder`, which is asked for each time: the domain may get another name. */
	constructor(kind: MomentKind<D>, folder: () => string, log: Logger) {
		super();
		this.#kind = kind;
		this.#folder = folder;
		this.#load(log);
	}

	#load(log: Logger): void {
		const folder = this.#folder();
		if (!existsSync(folder)) return;
		removeStrayFiles(folder);
		for (const file of readdirSync(folder)) {
			if (!file.endsWith(SUFFIX) || file.startsWith(".")) continue;
			try {
				const { moment, current } = this.#kind.parse(readFileSync(join(folder, file), "utf8"));
				this.put(moment);
				if (current <= this.#highest) continue;
				this.#highest = current;
				this.current = moment;
			} catch (error) {
				log.error(`cannot load the ${this.#kind.noun} '${join(folder, file)}': ${toVirtError(error).message}`);
			}
		}
		this.breakCycles();
	}

	fileOf({ name }: D): string {
		return join(this.#folder(), `${name}${SUFFIX}`);
	}

	/** Writes one moment's file. */
	async #write(moment: D, current: number): Promise<void> {
		mkdirSync(this.#folder(), { recursive: true, mode: 0o700 });
		try {
			await writeFileDurably(this.fileOf(moment), this.#kind.format(moment, current));
		} catch (cause) {
			throw new VirtError("INTERNAL_ERROR", `unable to save metadata for ${this.#kind.noun} ${moment.name}`, { cause });
		}
	}

	/** Stores a moment as it is now, and adds it where it is new. */
	async save(moment: D): Promise<void> {
		await this.#write(moment, this.current?.name === moment.name ? this.#highest : 0);
		this.put(moment);
	}

	/** Stores a moment as the one that the domain is at from now on. */
	async saveAsCurrent(moment: D): Promise<void> {
		const before = this.current;
		const number = this.#highest + 1;
		await this.#write(moment, number);
		this.#highest = number;
		this.put(moment);
		this.current = moment;
		if (before !== undefined && before.name !== moment.name) await this.#write(before, 0);
	}

	/** Forgets one moment: its children follow its parent, which the domain is at where it was at this one. */
	async forget(moment: D): Promise<void> {
		const above = this.parentOf(moment);
		for (const child of this.childrenOf(moment)) {
			if (above) child.parent = { name: above.name };
			else delete child.parent;
			await this.save(child);
		}
		if (this.current === moment && above) await this.saveAsCurrent(above);
		removeFileDurablySync(this.fileOf(moment));
		this.remove(moment);
	}

	/** Forgets all of them. */
	forgetAll(): void {
		rmSync(this.#folder(), { recursive: true, force: true });
		for (const moment of this.all()) this.remove(moment);
	}
}

/** The moments of one kind by domain; a domain's files are read when somebody asks first. */
export class MomentsByDomain<D extends MomentDef> {
	readonly #kind: MomentKind<D>;
	readonly #known = new WeakMap<QemuDomain, Moments<D>>();

	constructor(kind: MomentKind<D>) {
		this.#kind = kind;
	}

	of({ paths, log }: Pick<Driver, "paths" | "log">, domain: QemuDomain): Moments<D> {
		let moments = this.#known.get(domain);
		if (moments === undefined) {
			const folder = () => join(this.#kind.folder(paths), domain.name);
			this.#known.set(domain, (moments = new Moments(this.#kind, folder, log)));
		}
		return moments;
	}
}
