// Stored definitions: one XML file a domain, replaced durably, with links that mark those to start with the host.

import {
	closeSync,
	existsSync,
	openSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	readSync,
	symlinkSync,
} from "node:fs";
import { basename, join } from "node:path";
import { toVirtError, VirtError } from "@virtkit/base/errors";
import { removeFileDurablySync, removeStrayFiles, writeFileDurably } from "@virtkit/host/atomic-file";
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
	/** The last write of each file that is under way: writes of one file follow each other. */
	readonly #writing = new Map<string, Promise<void>>();
	readonly #head = Buffer.allocUnsafe(HEAD_BYTES);

	constructor(paths: DriverPaths, log: Logger) {
		this.#paths = paths;
		this.#log = log;
	}

	fileOf(name: string): string {
		return join(this.#paths.definitions, `${name}${SUFFIX}`);
	}

	/** All stored definitions. A file that is none is reported, left where it is, and keeps no other from being found. */
	scan(): StoredDomain[] {
		removeStrayFiles(this.#paths.definitions);
		const links = new Set(readdirSync(this.#paths.autostart));
		const found: StoredDomain[] = [];
		for (const file of readdirSync(this.#paths.definitions)) {
			if (!file.endsWith(SUFFIX) || file.startsWith(".")) continue;
			const identity = this.#identify(file);
			if (identity === undefined) continue;
			found.push({ ...identity, autostart: links.has(file), autostartOnce: links.has(`${file}${ONCE}`) });
		}
		return found;
	}

	#identify(file: string): { name: string; uuid: string } | undefined {
		const path = join(this.#paths.definitions, file);
		try {
			const [, name = "", uuid = ""] = HEAD.exec(this.#readHead(path)) ?? [];
			const identity = name === "" ? identifyWhole(path) : { name, uuid };
			if (`${identity.name}${SUFFIX}` !== file)
				throw new VirtError("INTERNAL_ERROR", `'${path}' defines a domain of another name: '${identity.name}'`);
			return identity;
		} catch (error) {
			this.#log.error(`cannot load the definition '${path}': ${toVirtError(error).message}`);
			return undefined;
		}
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
		const write = before.catch(() => undefined).then(() => writeFileDurably(this.fileOf(name), text));
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
		removeFileDurablySync(this.fileOf(name));
	}

	/** Makes or removes a link. */
	setAutostart(name: string, kind: AutostartKind, on: boolean): void {
		const link = join(this.#paths.autostart, `${name}${SUFFIX}${kind === "once" ? ONCE : ""}`);
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
