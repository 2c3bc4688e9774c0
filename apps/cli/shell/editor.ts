// Edits a text in the user's editor, as virsh's edit commands do.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommandError } from "../context.ts";

/** The text after the editor ($VISUAL, $EDITOR, vi) ended; the file it saw is named `name`. */
export async function editText(text: string, name: string): Promise<string> {
	const folder = await mkdtemp(join(tmpdir(), "virtkit-edit-"));
	try {
		const file = join(folder, name.replaceAll("/", "_"));
		await writeFile(file, text, { mode: 0o600 });
		const editor = process.env.VISUAL || process.env.EDITOR || "vi";
		// The editor may be a command with arguments; the file is passed beside it, not inside the command.
		const child = spawn("/bin/sh", ["-c", `${editor} "$1"`, "sh", file], { stdio: "inherit" });
		const [code] = (await once(child, "exit")) as [number | null];
		if (code !== 0) throw new CommandError(`'${editor}' ended with status ${code}`);
		return await readFile(file, "utf8");
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}
