// Where programs start and what outsiders import: everything else must be reached from here, or is dead.

/** Programs. */
export const PROGRAMS: readonly string[] = [
	"apps/cli/main.ts",
	"apps/daemon/main.ts",
	"bench/main.ts",
	"tools/check.ts",
	"tools/test.ts",
	"tools/bundle.ts",
	"tools/install.ts",
	"tools/bootstrap/installed.ts",
	"tools/test/events.ts",
	"packages/qapi/generate.ts",
	"packages/qemu/capabilities/kvm-payload-build.ts",
];

/** Folders whose types are for others to import, with the reason; their values are not. */
export const PUBLIC_TYPES: Readonly<Record<string, string>> = {
	"packages/model": "one type stands beside each schema, used here or not: what the documents hold",
};

/** Folders whose exports are for others to import, with the reason. */
export const PUBLIC: Readonly<Record<string, string>> = {
	"packages/client/sdk": "the SDK, what a TypeScript program imports",
};
