// Runs the same command line with virsh and with ours against one daemon, and tells where they differ.

import { CliContext } from "@virtkit/cli/context";
import { runLine } from "@virtkit/cli/shell/repl";
import { type Connection, connect } from "@virtkit/client/sdk/connection";
import { type RunResult, run } from "@virtkit/testing/run";

/** What a command left: its output, its complaints, its exit status. */
export interface Said {
	readonly status: number;
	readonly out: string;
	readonly err: string;
}

/** A command line, and what of both outputs differs from one call to the next. */
export interface Case {
	readonly line: string;
	/** Replaced by `…` in both. */
	readonly volatile?: RegExp;
}

/** What virsh said to one string of commands. */
export async function askVirsh(uri: string, line: string): Promise<Said> {
	const { code, stdout, stderr }: RunResult = await run("virsh", ["-c", uri, line]);
	return { status: code ?? -1, out: stdout, err: stderr };
}

/** What our command line says to the same string, in this process: a process each would take most of the time. */
export async function askOurs(uri: string, line: string): Promise<Said> {
	let [out, err] = ["", ""];
	const terminal = {
		out: (text: string) => void (out += text),
		err: (text: string) => void (err += text),
	};
	const open = (): Promise<Connection> => connect(uri);
	const options = { uri, readOnly: false, quiet: false, json: false, timing: false };
	await using context = new CliContext(options, terminal, open);
	const status = await runLine(context, line);
	return { status, out, err };
}

const settled = ({ status, out, err }: Said, volatile: RegExp | undefined): Said =>
	volatile ? { status, out: out.replaceAll(volatile, "…"), err: err.replaceAll(volatile, "…") } : { status, out, err };

/** Command lines whose answers differ, each with both; an empty list where none does. */
export async function differences(uri: string, cases: readonly Case[]): Promise<string[]> {
	const found: string[] = [];
	for (const { line, volatile } of cases) {
		const theirs = settled(await askVirsh(uri, line), volatile);
		const ours = settled(await askOurs(uri, line), volatile);
		if (JSON.stringify(theirs) !== JSON.stringify(ours))
			found.push(`${line}\n  virsh ${JSON.stringify(theirs)}\n  ours  ${JSON.stringify(ours)}`);
	}
	return found;
}
