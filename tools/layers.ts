// The layers of the project: which folder may import which. The one table of it; `./virtkit check layers` holds it.

/** A part of the tree and what it stands on. */
export interface Layer {
	readonly folder: string;
	/** Folders it may import, besides itself; or single files of a folder that it may not import otherwise. */
	readonly imports: readonly string[];
	/** Folders of which it may import types only: nothing of them is there when it runs. */
	readonly types?: readonly string[];
	/** Computes only: no files, sockets, processes. Such code is tested without a system, and runs in a browser. */
	readonly pure?: boolean;
}

/** Stands in for every folder, for the parts that put others together. */
export const ANYTHING = "*";

// From the bottom up. A row only ever names rows above it. A front-end (rpc-server, http-server) names no driver, a driver (qemu) no front-end.
export const LAYERS: readonly Layer[] = [
	{ folder: "packages/base", imports: [], pure: true },
	{ folder: "packages/xml", imports: ["packages/base"], pure: true },
	{ folder: "packages/model", imports: ["packages/base", "packages/xml"], pure: true },
	{ folder: "packages/xdr", imports: ["packages/base"], pure: true },
	{ folder: "packages/protocol", imports: ["packages/base", "packages/xdr"], pure: true },
	{ folder: "packages/qapi", imports: [], pure: true },
	{ folder: "packages/core", imports: ["packages/base"], types: ["packages/model"], pure: true },
	{ folder: "packages/host", imports: ["packages/base"] },
	{ folder: "packages/qmp", imports: ["packages/base", "packages/qapi"] },
	{
		folder: "packages/qemu",
		imports: [
			"packages/base",
			"packages/xml",
			"packages/model",
			"packages/qapi",
			"packages/core",
			"packages/host",
			"packages/qmp",
		],
	},
	{
		folder: "packages/rpc-server",
		imports: [
			"packages/base",
			"packages/xdr",
			"packages/protocol",
			"packages/core",
			// Sockets that pass descriptors.
			"packages/host/descriptor-socket.ts",
			"packages/host/native.ts",
		],
	},
	{ folder: "packages/http-server", imports: ["packages/base", "packages/core"] },
	{
		folder: "packages/client",
		imports: [
			"packages/base",
			"packages/model",
			"packages/xdr",
			"packages/protocol",
			"packages/core",
			// Sockets that pass descriptors.
			"packages/host/descriptor-socket.ts",
			"packages/host/native.ts",
		],
	},
	{ folder: "packages/testing", imports: [ANYTHING] },
	{
		folder: "apps/cli",
		imports: [
			"packages/base",
			"packages/xml",
			"packages/protocol",
			"packages/core",
			"packages/client",
			// The guest that `virtkit up` and `virtkit demo-guest` make.
			"packages/testing/demo-guest.ts",
		],
	},
	{ folder: "apps/daemon", imports: [ANYTHING] },
	{ folder: "bench", imports: [ANYTHING] },
	{ folder: "tests", imports: [ANYTHING] },
	{ folder: "tools", imports: [ANYTHING] },
];

/** What tests may import wherever they are, besides what their folder may. */
export const TEST_IMPORTS: readonly string[] = ["packages/testing", "packages/host"];

/** Files of a pure folder that do I/O all the same, with the reason. */
export const IMPURE_FILES: Readonly<Record<string, string>> = {
	"packages/qapi/generate.ts": "the generator: a program run by hand, which asks a real QEMU",
};

/** Node's modules that do no I/O, the only ones pure folders may import. */
export const PURE_NODE_MODULES: readonly string[] = [
	"node:assert",
	"node:buffer",
	"node:crypto",
	"node:events",
	"node:timers",
	"node:timers/promises",
	"node:util",
];
