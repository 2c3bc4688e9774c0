// What goes into a bundle besides code: the one table of it.

/** A program: bundled into one file, which the launcher starts. */
export interface Program {
	readonly name: string;
	readonly entry: string;
	/** A CommonJS file loads Node's own modules when they are asked for, an ES module all of them at its start. */
	readonly format: "esm" | "cjs";
}

export const PROGRAMS: readonly Program[] = [
	{ name: "cli", entry: "apps/cli/main.ts", format: "cjs" },
	{ name: "daemon", entry: "apps/daemon/main.ts", format: "esm" },
];

/** npm packages that bring a native binary and find it by their own folder: they are copied, not bundled. */
export const NATIVE_PACKAGES: readonly string[] = ["koffi"];
