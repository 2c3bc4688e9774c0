// Reads the kernel's text files about the host, below a root that tests replace by a folder of their own.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** /proc, /sys and the like below one root. */
export class HostFiles {
	readonly #root: string;

	constructor(root = "/") {
		this.#root = root;
	}

	/** The file's text; undefined where it cannot be read. */
	text(path: string): string | undefined {
		try {
			return readFileSync(join(this.#root, path), "utf8");
		} catch {
			return undefined;
		}
	}

	/** The file's text without blanks around it; undefined where it cannot be read or is empty. */
	word(path: string): string | undefined {
		return this.text(path)?.trim() || undefined;
	}

	/** The number in the file; undefined where there is none. */
	number(path: string): number | undefined {
		const word = this.word(path);
		return word !== undefined && /^-?\d+$/.test(word) ? Number(word) : undefined;
	}

	/** The names in the folder; none where it cannot be read. */
	names(path: string): string[] {
		try {
			return readdirSync(join(this.#root, path));
		} catch {
			return [];
		}
	}

	/** The numbers N of the entries PREFIXN, ascending. */
	numbered(path: string, prefix: string): number[] {
		return this.names(path)
			.filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
			.map((name) => Number(name.slice(prefix.length)))
			.sort((a, b) => a - b);
	}

	exists(path: string): boolean {
		return existsSync(join(this.#root, path));
	}
}
