// Writes a folder that runs without the repository, npm or a Node of the system's: ./virtkit bundle DIR

import { spawnSync } from "node:child_process";
import { chmodSync, constants, copyFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, relative, resolve } from "node:path";
import { build } from "esbuild";
import { collectLicenses, packageFolders } from "./bundle/licenses.ts";
import { NATIVE_PACKAGES, PROGRAMS } from "./bundle/parts.ts";

const ROOT = join(import.meta.dirname, "..");

// Bundled CommonJS packages ask for Node's modules with require, which ES modules do not have of themselves.
const BANNER =
	'import { createRequire as createRequireHere } from "node:module"; const require = createRequireHere(import.meta.url);';

// CommonJS knows its file by a path; the URL that ES modules have is made from it.
const COMMONJS_BANNER = 'const importMetaUrl = "file://" + encodeURI(__filename).replace(/[?#]/g, encodeURIComponent);';

/** Bundles each program into one file of `lib`; returns the source files that are in them. */
async function bundlePrograms(lib: string): Promise<string[]> {
	const results = await Promise.all(
		PROGRAMS.map(({ name, entry, format }) =>
			build({
				absWorkingDir: ROOT,
				entryPoints: { [name]: entry },
				outdir: lib,
				outExtension: { ".js": format === "esm" ? ".mjs" : ".cjs" },
				bundle: true,
				platform: "node",
				target: "node24",
				format,
				external: [...NATIVE_PACKAGES],
				banner: { js: format === "esm" ? BANNER : COMMONJS_BANNER },
				define: format === "esm" ? {} : { "import.meta.url": "importMetaUrl" },
				// Names stay as they are: stack traces in a log should tell where.
				minifySyntax: true,
				minifyWhitespace: true,
				metafile: true,
				logLevel: "warning",
			}),
		),
	);
	return [...new Set(results.flatMap(({ metafile }) => Object.keys(metafile.inputs)))];
}

/** Copies what the native packages load when they are loaded; returns the files. */
function copyPackages(lib: string): string[] {
	const require = createRequire(import.meta.url);
	for (const name of NATIVE_PACKAGES) require(name);
	const loaded = Object.keys(require.cache).map((file) => relative(ROOT, file));
	const own = loaded.filter((file) => file.startsWith("node_modules/") && !/\/(esbuild|@esbuild)\//.test(file));
	const manifests = packageFolders(own).map((folder) => `${folder}/package.json`);
	for (const file of [...own, ...manifests]) {
		mkdirSync(dirname(join(lib, file)), { recursive: true });
		copyFileSync(join(ROOT, file), join(lib, file));
	}
	return own;
}

/**
 * Runs each program once, so that its compiled code is there from the first start on.
 *
 * The first run decides which functions are kept compiled, so it takes the way of most commands: to a daemon, though there is none.
 */
function warmUp(folder: string): void {
	const nowhere = "qemu+unix:///system?socket=/nonexistent/libvirt-sock";
	const runs: [args: string[], status: number][] = [
		[["-c", nowhere, "list"], 1],
		[["help"], 0],
		[["daemon", "--help"], 0],
	];
	for (const [args, status] of runs) {
		const run = spawnSync(join(folder, "virtkit"), args, { encoding: "utf8", env: { PATH: "/usr/bin:/bin" } });
		if (run.status !== status) throw new Error(`the bundle's 'virtkit ${args.join(" ")}' fails: ${run.stderr}`);
	}
}

/** Writes the bundle into `folder`, which must not exist yet. */
async function writeBundle(folder: string): Promise<void> {
	const lib = join(folder, "lib");
	mkdirSync(join(folder, "bin"), { recursive: true });
	mkdirSync(join(lib, "compile-cache"), { recursive: true });
	const sources = [...(await bundlePrograms(lib)), ...copyPackages(lib)];
	copyFileSync(process.execPath, join(folder, "bin/node"), constants.COPYFILE_FICLONE);
	copyFileSync(join(ROOT, "tools/bundle/launcher.sh"), join(folder, "virtkit"));
	for (const program of ["bin/node", "virtkit"]) chmodSync(join(folder, program), 0o755);
	copyFileSync(join(ROOT, "LICENSE"), join(folder, "LICENSE"));
	writeFileSync(join(folder, "THIRD-PARTY-LICENSES"), collectLicenses(ROOT, packageFolders(sources)));
	warmUp(folder);
}

async function main(args: readonly string[]): Promise<number> {
	const [target, ...more] = args;
	if (target === undefined || more.length > 0 || target.startsWith("-")) {
		console.error(
			"Usage: ./virtkit bundle DIR\nWrites a self-contained virtkit into DIR, which is replaced when it holds one.",
		);
		return target === "--help" ? 0 : 2;
	}
	const folder = resolve(target);
	const holdsBundle = ["cli.cjs", "cli.mjs"].some((name) => existsSync(join(folder, "lib", name)));
	if (existsSync(folder) && !holdsBundle) {
		throw new Error(`${folder} exists and holds no bundle; name another folder or remove it`);
	}
	const fresh = join(dirname(folder), `.${basename(folder)}.${process.pid}`);
	try {
		mkdirSync(dirname(folder), { recursive: true });
		await writeBundle(fresh);
		rmSync(folder, { recursive: true, force: true });
		renameSync(fresh, folder);
	} finally {
		rmSync(fresh, { recursive: true, force: true });
	}
	console.log(`${folder}/virtkit runs without anything else of the repository.`);
	return 0;
}

try {
	process.exitCode = await main(process.argv.slice(2));
} catch (error) {
	console.error(`virtkit bundle: ${error instanceof Error ? error.message : String(error)}`);
	process.exitCode = 1;
}
