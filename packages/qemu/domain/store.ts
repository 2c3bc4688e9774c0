// Stored definitions: one XML file a domain, replaced durably, with links that mark those to start with the host.

import {
	closeSync,
	existsSync,
	openSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	readSync,
	renameSync,
	rmSync,
	symlinkSync,
} from "node:fs";
import { basename, join } from "node:path";
import { toVirtError, VirtError } from "@virtkit/base/errors";
import {
	removeFileDurablySync,
	removeStrayFiles,
	renameFileDurablySync,
	writeFileDurably,
} from "@virtkit/host/atomic-file";
import { JournaledFolder } from "@virtkit/host/journaled-folder";
import { systemError } from "@virtkit/host/system-error";
import { parseDomain } from "@virtkit/model/domain/domain";
import type { Logger } from "../logger.ts";
import type { DriverPaths } from "../paths.ts";
import { Definition } from "./definition.ts";

/** What is known of a stored definition without reading all of it. */
export interface StoredDomain {
	readonly name: string;
	readonly uuid: string;
	readonly autostart: boolean;
	readonly autostartOnce: boolean;
}

export type AutostartKind = "always" | "once";

const SUFFIX = ".xml";
const ONCE = ".once";
/** Bytes of a file's beginning that hold its name and UUID, whatever the name. */
const HEAD_BYTES = 2048;
const HEAD = /^\s*<domain\b[^>]*>\s*<name>([^<&]+)<\/name>\s*<uuid>([0-9a-f-]{36})<\/uuid>/;

export class DefinitionStore {
	readonly #paths: DriverPaths;
	readonly #log: Logger;
	readonly #files: JournaledFolder;
	/** The last write of each file that is under way: writes of one file follow each other. */
	readonly #writing = new Map<string, Promise<void>>();
	readonly #head = Buffer.allocUnsafe(HEAD_BYTES);

	constructor(paths: DriverPaths, log: Logger) {
		this.#paths = paths;
		this.#log = log;
		this.#files = new JournaledFolder(paths.definitions, paths.journal);
	}

	/** Brings what is stored to the disk for the last time. */
	close(): Promise<void> {
		return this.#files.close();
	}

	fileOf(name: string): string {
		return join(this.#paths.definitions, `${name}${SUFFIX}`);
	}

	/** All stored definitions. A file that is none is reported, left where it is, and keeps no other from being found. */
	scan(): StoredDomain[] {
		removeStrayFiles(this.#paths.definitions);
		const recovered = this.#files.recover();
		if (recovered.length > 0) this.#log.warn("definitions were made again after a power cut", { recovered });
		const identities: { name: string; uuid: string }[] = [];
		for (const file of readdirSync(this.#paths.definitions)) {
			if (!file.endsWith(SUFFIX) || file.startsWith(".")) continue;
			const identity = this.#identify(file);
			if (identity !== undefined) identities.push(identity);
		}
		this.#removeDanglingLinks();
		const links = new Set(readdirSync(this.#paths.autostart));
		return identities.map((identity) => {
			const file = `${identity.name}${SUFFIX}`;
			return { ...identity, autostart: links.has(file), autostartOnce: links.has(`${file}${ONCE}`) };
		});
	}

	/** Links of domains whose removal or renaming was cut off: a later domain of that name must not start with the host. */
	#removeDanglingLinks(): void {
		for (const link of readdirSync(this.#paths.autostart)) {
			const name = link.endsWith(ONCE) ? link.slice(0, -ONCE.length) : link;
			if (!existsSync(join(this.#paths.definitions, name))) removeFileDurablySync(join(this.#paths.autostart, link));
		}
	}

	#identify(file: string): { name: string; uuid: string } | undefined {
		const path = join(this.#paths.definitions, file);
		try {
			const [, name = "", uuid = ""] = HEAD.exec(this.#readHead(path)) ?? [];
			const identity = name === "" ? identifyWhole(path) : { name, uuid };
			if (`${identity.name}${SUFFIX}` !== file && !this.#finishRename(file, identity.name))
				throw new VirtError("INTERNAL_ERROR", `'${path}' defines a domain of another name: '${identity.name}'`);
			return identity;
		} catch (error) {
			this.#log.error(`cannot load the definition '${path}': ${toVirtError(error).message}`);
			return undefined;
		}
	}

	/** Goes on with a renaming that was cut off after its first step; false where `file` is no such thing. */
	#finishRename(file: string, name: string): boolean {
		if (name.includes("/") || existsSync(this.fileOf(name))) return false;
		this.#move(file.slice(0, -SUFFIX.length), name);
		return true;
	}

	#readHead(path: string): string {
		const fd = openSync(path, "r");
		try {
			return this.#head.toString("utf8", 0, readSync(fd, this.#head, 0, HEAD_BYTES, 0));
		} finally {
			closeSync(fd);
		}
	}

	/** The stored definition of that name. Throws what reading and parsing throw. */
	load(name: string): Definition {
		const path = this.fileOf(name);
		let text: string;
		try {
			text = readFileSync(path, "utf8");
		} catch (error) {
			throw systemError(`cannot read the definition '${path}'`, error);
		}
		return new Definition(parseDomain(text));
	}

	/** Stores the definition; when this settles it survives a power cut. */
	save(definition: Definition): Promise<void> {
		const { name } = definition.def;
		const text = definition.format({ inactive: true, secure: true });
		const before = this.#writing.get(name) ?? Promise.resolve();
		const write = before.catch(() => undefined).then(() => this.#files.write(`${name}${SUFFIX}`, text));
		const done = write.finally(() => {
			if (this.#writing.get(name) === done) this.#writing.delete(name);
		});
		this.#writing.set(name, done);
		return done;
	}

	/** Removes the definition with its links. */
	async remove(name: string): Promise<void> {
		await this.#writing.get(name)?.catch(() => undefined);
		this.setAutostart(name, "always", false);
		this.setAutostart(name, "once", false);
		await this.#files.remove(`${name}${SUFFIX}`);
	}

	/**
	 * Stores the definition of the domain that was called `from`, under its new name.
	 *
	 * The definition replaces the one in the old file first, and that counts: should the rest be cut off, `scan` does it.
	 * At no time is the domain there twice or not at all.
	 */
	async rename(from: string, definition: Definition): Promise<void> {
		await this.#writing.get(from)?.catch(() => undefined);
		await this.#files.settle();
		await writeFileDurably(this.fileOf(from), definition.format({ inactive: true, secure: true }));
		this.#move(from, definition.def.name);
	}

	/** Forgets the snapshots and checkpoints of a domain that is no more; the images are nobody's business here. */
	removeMoments(name: string): void {
		for (const folder of this.#momentFolders) rmSync(join(folder, name), { recursive: true, force: true });
	}

	get #momentFolders(): readonly string[] {
		return [this.#paths.snapshots, this.#paths.checkpoints];
	}

	/** Gives a file the name that the definition in it has, and its links and the folders of its moments too. */
	#move(from: string, to: string): void {
		for (const folder of this.#momentFolders) {
			if (!existsSync(join(folder, from))) continue;
			rmSync(join(folder, to), { recursive: true, force: true });
			renameSync(join(folder, from), join(folder, to));
		}
		const kinds = (["always", "once"] as const).filter((kind) => existsSync(this.#linkOf(from, kind)));
		for (const kind of kinds) this.setAutostart(to, kind, true);
		renameFileDurablySync(this.fileOf(from), this.fileOf(to));
		for (const kind of kinds) this.setAutostart(from, kind, false);
	}

	#linkOf(name: string, kind: AutostartKind): string {
		return join(this.#paths.autostart, `${name}${SUFFIX}${kind === "once" ? ONCE : ""}`);
	}

	/** Makes or removes a link. */
	setAutostart(name: string, kind: AutostartKind, on: boolean): void {
		const link = this.#linkOf(name, kind);
		if (!on) {
			removeFileDurablySync(link);
			return;
		}
		const target = this.fileOf(name);
		try {
			if (existsSync(link) && readlinkSync(link) === target) return;
			removeFileDurablySync(link);
			symlinkSync(target, link);
		} catch (error) {
			throw systemError(`Failed to create symlink '${link}' to '${target}'`, error);
		}
	}
}

function identifyWhole(path: string): { name: string; uuid: string } {
	const { name, uuid } = parseDomain(readFileSync(path, "utf8"));
	if (uuid === undefined) throw new VirtError("XML_ERROR", `'${basename(path)}' gives no <uuid>`);
	return { name, uuid };
}
