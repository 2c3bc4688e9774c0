// Picks modules of a distribution kernel, with what they depend on, to go into an initial RAM file system.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import type { CpioEntry } from "./cpio.ts";

/** Modules and the index files that modprobe needs, with paths below the archive's root. */
export interface ModuleSet {
	readonly entries: readonly CpioEntry[];
	/** Wanted modules that this kernel has neither as a file nor built in. */
	readonly missing: readonly string[];
}

/** The kernel takes "-" and "_" in a module's name for the same. */
const nameOf = (path: string) =>
	basename(path)
		.replace(/\.ko(\.(gz|xz|zst))?$/, "")
		.replaceAll("-", "_");

/** modules.dep(5): each module's file, and the files it needs. */
function parseDependencies(text: string): Map<string, readonly string[]> {
	const dependencies = new Map<string, readonly string[]>();
	for (const line of text.split("\n")) {
		const [file, needed] = line.split(":");
		if (file) dependencies.set(file, needed?.trim().split(" ").filter(Boolean) ?? []);
	}
	return dependencies;
}

function decompress(path: string): Uint8Array {
	const data = readFileSync(path);
	if (path.endsWith(".gz")) return gunzipSync(data);
	if (path.endsWith(".zst")) return zstdDecompressSync(data);
	if (path.endsWith(".xz")) return execFileSync("xz", ["-dc", path], { maxBuffer: 1 << 28 });
	return data;
}

const uncompressed = (path: string) => path.replace(/\.(gz|xz|zst)$/, "");

function foldersOf(paths: Iterable<string>): CpioEntry[] {
	const folders = new Set<string>();
	for (const path of paths) {
		const parts = path.split("/").slice(0, -1);
		for (let length = 1; length <= parts.length; length++) folders.add(parts.slice(0, length).join("/"));
	}
	return [...folders].sort().map((path) => ({ kind: "folder", path }));
}

/** The lines of modules.alias that lead to one of the modules. */
function aliasesOf(text: string, names: ReadonlySet<string>): string {
	return text
		.split("\n")
		.filter((line) => names.has((line.split(" ")[2] ?? "").replaceAll("-", "_")))
		.join("\n");
}

/**
 * Collects the wanted modules of kernel `version` from `root`/lib/modules/VERSION, decompressed.
 *
 * A module that is built into the kernel needs no file and is not missing.
 */
export function collectModules(version: string, wanted: readonly string[], root = "/"): ModuleSet {
	const folder = join(root, "lib/modules", version);
	const read = (name: string) => (existsSync(join(folder, name)) ? readFileSync(join(folder, name), "utf8") : "");
	const dependencies = parseDependencies(read("modules.dep"));
	const byName = new Map([...dependencies.keys()].map((file) => [nameOf(file), file]));
	const builtIn = new Set(read("modules.builtin").split("\n").map(nameOf));
	const files = new Set<string>();
	const missing: string[] = [];
	for (const name of wanted) {
		const file = byName.get(nameOf(name));
		if (file === undefined) {
			if (!builtIn.has(nameOf(name))) missing.push(name);
			continue;
		}
		for (const needed of [file, ...(dependencies.get(file) ?? [])]) files.add(needed);
	}
	const base = `lib/modules/${version}`;
	const line = (file: string) => `${uncompressed(file)}: ${(dependencies.get(file) ?? []).map(uncompressed).join(" ")}`;
	const entries: CpioEntry[] = [
		...foldersOf([...files].map((file) => `${base}/${file}`)),
		...[...files].map((file): CpioEntry => {
			return { kind: "file", path: `${base}/${uncompressed(file)}`, data: decompress(join(folder, file)) };
		}),
		{ kind: "file", path: `${base}/modules.dep`, data: `${[...files].map(line).join("\n")}\n` },
		{
			kind: "file",
			path: `${base}/modules.alias`,
			data: `${aliasesOf(read("modules.alias"), new Set([...files].map(nameOf)))}\n`,
		},
	];
	return { entries: files.size === 0 ? [{ kind: "folder", path: "lib/modules" }] : entries, missing };
}
