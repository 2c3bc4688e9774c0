// Tells which words ./virtkit knows: its own, and the commands of the command line.

import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** What ./virtkit does itself, before the command line is asked. */
const OWN: readonly string[] = ["check", "test", "bundle", "bench", "daemon"];

/** A function that tells whether ./virtkit knows a command, by the tables of the tree's command line. */
export async function commandLookup(root: string): Promise<(name: string) => boolean> {
	const table = pathToFileURL(join(root, "apps/cli/commands/all.ts")).href;
	const { hasCommand } = (await import(table)) as { hasCommand(name: string): boolean };
	return (name) => OWN.includes(name) || hasCommand(name);
}
