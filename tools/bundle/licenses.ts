// Collects the licences of the npm packages whose code is in a bundle, which they ask to be passed on.

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The npm packages that the bundled files `inputs` come from, sorted. */
export function packagesOf(inputs: readonly string[]): string[] {
	const names = inputs.map((file) => /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]);
	return [...new Set(names.filter((name) => name !== undefined))].sort();
}

/** One text with the licence of each package below `root`/node_modules. */
export function collectLicenses(root: string, packages: readonly string[]): string {
	const texts = packages.map((name) => {
		const folder = join(root, "node_modules", name);
		const { license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { license?: string };
		const files = globSync("{LICENSE,LICENCE,COPYING}*", { cwd: folder }).sort();
		const text = files.map((file) => readFileSync(join(folder, file), "utf8").trim()).join("\n\n");
		return `${name} (${license ?? "see below"})\n\n${text}\n`;
	});
	return texts.join(`\n${"-".repeat(80)}\n\n`);
}
