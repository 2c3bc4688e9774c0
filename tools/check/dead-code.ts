// The dead-code check: files that no program reaches (by our own import graph), and exports nobody imports (knip).

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PROGRAMS, PUBLIC, PUBLIC_TYPES } from "../entry-points.ts";
import { generatedDocs } from "../generated-docs.ts";
import type { Check, Finding } from "./check.ts";
import { importGraph } from "./import-graph.ts";
import { runTool, toolFailure } from "./run-tool.ts";
import { isSource, isTest, type Tree } from "./tree.ts";

/** The files that `starts` import, directly or through others, themselves included. */
function reachedFrom(graph: ReturnType<typeof importGraph>, starts: readonly string[]): Set<string> {
	const reached = new Set(starts);
	for (const file of reached) for (const { target } of graph.get(file) ?? []) if (target) reached.add(target);
	return reached;
}

const forTestsOnly = (file: string) => file.startsWith("packages/testing/") || /(^|\/)fake-[^/]*\.ts$/.test(file);

/** Source files that neither a program nor (for helpers of tests) a test reaches. */
export function checkReached(tree: Tree, programs: readonly string[], publicFolders: readonly string[]): Finding[] {
	const graph = importGraph(tree);
	const isPublic = (file: string) => publicFolders.some((folder) => file.startsWith(`${folder}/`));
	const missing = programs.filter((file) => !tree.has(file));
	// Without a program, all that it would reach looks dead.
	if (missing.length > 0)
		return missing.map((file) => ({ file, message: "tools/entry-points.ts names it; it is no file" }));
	const used = reachedFrom(graph, [...programs, ...tree.sources.filter((file) => isPublic(file))]);
	const tested = reachedFrom(graph, tree.sources.filter(isTest));
	return tree.sources
		.filter((file) => !isTest(file) && !used.has(file) && !(forTestsOnly(file) && tested.has(file)))
		.map((file) => ({ file, message: tested.has(file) ? "is imported by tests only" : "is imported by nothing" }));
}

/** A name that knip found nobody imports. */
interface Unused {
	readonly name: string;
	readonly line?: number;
}

/** knip's JSON report, as far as it is read here. */
interface KnipReport {
	readonly issues: readonly {
		readonly file: string;
		readonly exports?: readonly Unused[];
		readonly types?: readonly Unused[];
		readonly dependencies?: readonly Unused[];
		readonly devDependencies?: readonly Unused[];
		readonly unlisted?: readonly Unused[];
	}[];
}

const KINDS = {
	exports: "exports what nobody imports",
	types: "exports a type that nobody imports",
	dependencies: "names a dependency that nothing uses",
	devDependencies: "names a dependency that nothing uses",
	unlisted: "imports a package that package.json does not name",
} as const;

/** Exports that are for others than the files of the tree: by folder, or by file. */
export interface Offered {
	readonly all: readonly string[];
	readonly types: readonly string[];
}

const isWithin = (file: string, places: readonly string[]) =>
	places.some((place) => file === place || file.startsWith(`${place}/`));

/** The findings in knip's report, without what is offered to others. */
export function unusedIn(report: KnipReport, offered: Offered): Finding[] {
	const kinds = Object.entries(KINDS) as [keyof typeof KINDS, string][];
	return report.issues.flatMap((issue) =>
		kinds
			.filter(([kind]) => !isWithin(issue.file, kind === "types" ? [...offered.all, ...offered.types] : offered.all))
			.flatMap(([kind, message]) =>
				(issue[kind] ?? []).map(({ name, line }) => ({
					file: issue.file,
					...(line !== undefined && { line }),
					message: `${message}: ${name}`,
				})),
			),
	);
}

/** knip's configuration, from our own tables. */
function knipConfig(): object {
	const own = [...PROGRAMS, ...generatedDocs.map(({ generator }) => generator)];
	return {
		workspaces: {
			".": {
				entry: [...own.filter((file) => /^(tools|bench|tests)\//.test(file)), "{tools,bench,tests}/**/*.test.ts"],
				project: ["{tools,bench,tests}/**/*.ts"],
			},
			"{packages,apps}/*": { entry: ["**/*.test.ts"], project: ["**/*.ts"] },
		},
		includeEntryExports: true,
		ignoreExportsUsedInFile: true,
		// Run by the checks and the bundler, by name.
		ignoreDependencies: ["@biomejs/biome", "jscpd", "typescript", "knip"],
	};
}

async function runKnip(root: string): Promise<KnipReport> {
	const folder = mkdtempSync(join(tmpdir(), "vt-knip-"));
	try {
		const config = join(folder, "knip.json");
		writeFileSync(config, JSON.stringify(knipConfig()));
		const include = "exports,types,dependencies,unlisted";
		const args = ["--config", config, "--reporter", "json", "--include", include, "--no-exit-code"];
		const run = await runTool("knip", "knip", args, root);
		if (!run.output.startsWith("{")) throw toolFailure("knip", run);
		return JSON.parse(run.output) as KnipReport;
	} finally {
		rmSync(folder, { recursive: true });
	}
}

export const deadCode: Check = {
	name: "dead-code",
	about: "every file is reached and every export imported (knip)",
	async run(tree) {
		const folders = Object.keys(PUBLIC);
		const programs = [...PROGRAMS, ...generatedDocs.map(({ generator }) => generator)];
		const unused = unusedIn(await runKnip(tree.root), {
			// What starts a program or makes a page is called by its file's name.
			all: [...folders, ...programs],
			types: Object.keys(PUBLIC_TYPES),
		});
		return {
			findings: [
				...checkReached(tree, programs, folders),
				...unused.filter(({ file }) => isSource(file) || file.endsWith("package.json")),
			],
		};
	},
};
