// The type check: TypeScript's compiler over everything.

import type { Check, Finding } from "./check.ts";
import { runTool, toolFailure } from "./run-tool.ts";

/** Reads the compiler's findings off what it printed; lines that go on with one before stay with it. */
export function parseDiagnostics(output: string): Finding[] {
	const findings: { file: string; line: number; message: string }[] = [];
	for (const row of output.split("\n")) {
		const [, file, line, message] = /^(.+?)\((\d+),\d+\): error (.*)$/.exec(row) ?? [];
		const last = findings.at(-1);
		if (file !== undefined && message !== undefined) findings.push({ file, line: Number(line), message });
		else if (last !== undefined && row.startsWith(" ")) last.message += `\n${row}`;
	}
	return findings;
}

export const types: Check = {
	name: "types",
	about: "the types fit (tsc)",
	async run({ root }) {
		const run = await runTool("typescript", "tsc", ["-p", ".", "--pretty", "false"], root);
		const findings = parseDiagnostics(run.output);
		if (run.code !== 0 && findings.length === 0) throw toolFailure("tsc", run);
		return { findings };
	},
};
