// Exits with 0 when node_modules holds what package-lock.json asks for, without asking npm, which takes seconds to say so.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** One package in a lock file (npm's package-lock.json, version 3). */
interface LockedPackage {
	readonly version?: string;
	readonly link?: boolean;
	readonly optional?: boolean;
}

function readPackages(file: string): Record<string, LockedPackage> {
	return (JSON.parse(readFileSync(file, "utf8")) as { packages: Record<string, LockedPackage> }).packages;
}

/** Paths in package-lock.json whose package is missing below `root` or has another version. */
export function missingPackages(root: string): string[] {
	const wanted = readPackages(join(root, "package-lock.json"));
	const present = readPackages(join(root, "node_modules/.package-lock.json"));
	return Object.entries(wanted)
		.filter(([path, locked]) => {
			if (!path.includes("node_modules/")) return false;
			const found = present[path];
			// Optional packages are for other processors and systems, unless they were installed.
			if (found === undefined) return locked.optional !== true;
			return found.version !== locked.version || !existsSync(join(root, path, "package.json"));
		})
		.map(([path]) => path);
}

if (import.meta.main) process.exitCode = missingPackages(process.argv[2] ?? ".").length === 0 ? 0 : 1;
