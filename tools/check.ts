// Checks the sources without running them: ./virtkit check [--fix] [CHECK…]

import { join } from "node:path";
import { parseArgs } from "node:util";
import { CHECKS } from "./check/all.ts";
import { type Check, formatFinding, type Outcome } from "./check/check.ts";
import { openTree, type Tree } from "./check/tree.ts";

const ROOT = join(import.meta.dirname, "..");

const USAGE = `Usage: ./virtkit check [--fix] [CHECK…]
Runs the checks, or those named:
${CHECKS.map(({ name, about }) => `  ${name.padEnd(12)} ${about}`).join("\n")}
  --fix        first puts right what needs no decision: formatting, order of imports, generated pages
`;

function chooseChecks(names: readonly string[]): readonly Check[] {
	if (names.length === 0) return CHECKS;
	return names.map((name) => {
		const check = CHECKS.find((known) => known.name === name);
		if (check === undefined)
			throw new Error(`there is no check '${name}'; there are ${CHECKS.map((one) => one.name).join(", ")}`);
		return check;
	});
}

async function runCheck(check: Check, tree: Tree): Promise<Outcome> {
	try {
		return await check.run(tree);
	} catch (error) {
		const message = error instanceof Error ? error.message : String(error);
		return { findings: [{ file: check.name, message: `the check itself failed: ${message}` }] };
	}
}

/** Runs one check and prints its line and findings when it is done; true when there is none. */
async function tellCheck(check: Check, tree: Tree): Promise<boolean> {
	const begin = performance.now();
	const { findings, note } = await runCheck(check, tree);
	const seconds = `${((performance.now() - begin) / 1000).toFixed(1)} s`.padStart(7);
	const figure = findings.length === 0 ? "" : `${findings.length} finding${findings.length === 1 ? "" : "s"}`;
	const notes = [figure, note ?? ""].filter((text) => text !== "").join("; ");
	console.log(`${findings.length === 0 ? "ok  " : "FAIL"} ${check.name.padEnd(12)}${seconds}  ${notes}`.trimEnd());
	for (const finding of findings) console.log(`     ${formatFinding(finding).replaceAll("\n", "\n       ")}`);
	return findings.length === 0;
}

/** Everything; returns the exit status. */
async function main(args: string[]): Promise<number> {
	const { values, positionals } = parseArgs({
		args,
		allowPositionals: true,
		options: { fix: { type: "boolean", default: false }, help: { type: "boolean", default: false } },
	});
	if (values.help) {
		console.log(USAGE);
		return 0;
	}
	const checks = chooseChecks(positionals);
	if (values.fix) for (const check of checks) await check.fix?.(openTree(ROOT));
	const tree = openTree(ROOT);
	const passed = await Promise.all(checks.map((check) => tellCheck(check, tree)));
	const failed = passed.filter((fine) => !fine).length;
	console.log(failed === 0 ? `All ${checks.length} checks are fine.` : `${failed} of ${checks.length} checks failed.`);
	return failed === 0 ? 0 : 1;
}

try {
	process.exitCode = await main(process.argv.slice(2));
} catch (error) {
	console.error(`virtkit check: ${error instanceof Error ? error.message : String(error)}`);
	process.exitCode = 2;
}
