// What goes into a bundle besides code: the one table of it.

/** A program: bundled into one file, which the launcher starts. */
export const PROGRAMS: Readonly<Record<string, string>> = {
	cli: "apps/cli/main.ts",
	daemon: "apps/daemon/main.ts",
};

/** npm packages that bring a native binary and find it by their own folder: they are copied, not bundled. */
export const NATIVE_PACKAGES: readonly string[] = ["koffi"];
