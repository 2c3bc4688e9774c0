// Collects the licences of the npm packages whose code is in a bundle, which they ask to be passed on.

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The folders of the npm packages that `files` are of, sorted; a package may lie inside another. */
export function packageFolders(files: readonly string[]): string[] {
	const folders = files.map((file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0]);
	return [...new Set(folders.filter((folder) => folder !== undefined))].sort();
}

/** One text with the licence of each package, by its folder below `root`. */
export function collectLicenses(root: string, folders: readonly string[]): string {
	const texts = folders.map((name) => {
		const folder = join(root, name);
		const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<string, string>;
		const files = globSync("{LICENSE,LICENCE,COPYING}*", { cwd: folder }).sort();
		const text = files.map((file) => readFileSync(join(folder, file), "utf8").trim()).join("\n\n");
		return `${manifest["name"]} ${manifest["version"]} (${manifest["license"] ?? "see below"})\n\n${text}\n`;
	});
	return texts.join(`\n${"-".repeat(80)}\n\n`);
}
