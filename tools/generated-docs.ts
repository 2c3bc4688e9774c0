// The pages that are made from the project's own tables, and what makes each. `./virtkit check --fix` writes them anew.

/** A page and the module that makes it. */
export interface GeneratedDoc {
	readonly file: string;
	/** A module of the repository that exports `render(): string | Promise<string>`. */
	readonly generator: string;
}

export const generatedDocs: readonly GeneratedDoc[] = [
	{ file: "docs/reference/domain.md", generator: "tools/generate-reference.ts" },
	{ file: "docs/reference/domain.schema.json", generator: "tools/generate-schema.ts" },
	{ file: "docs/metrics.md", generator: "packages/http-server/metrics-docs.ts" },
	{ file: "docs/support.md", generator: "tools/generate-support.ts" },
];
