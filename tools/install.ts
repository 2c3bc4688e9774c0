// Installs the Debian packages that a command needs, as far as they are missing: node tools/install.ts up|test|bench

import { spawnSync } from "node:child_process";
import { mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { missingFor, packageName, thisMachine } from "./install/missing.ts";
import { denyServiceStarts } from "./install/service-guard.ts";
import { PURPOSES, type Purpose, SYSTEM_PACKAGES, type SystemPackage } from "./packages.ts";

const APT_OPTIONS = ["-q", "-y", "-o", "DPkg::Lock::Timeout=600"];

/** Runs apt-get with its output in `logFile`; true when it succeeded. */
function aptGet(logFile: string, ...args: readonly string[]): boolean {
	const log = openSync(logFile, "a");
	const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
	return spawnSync("apt-get", [...APT_OPTIONS, ...args], { env, stdio: ["ignore", log, log] }).status === 0;
}

/** Lines that tell a person what is missing and why. */
function describeMissing(missing: readonly SystemPackage[]): string {
	return missing.map((entry) => `  ${packageName(entry, thisMachine())}: ${entry.reason}`).join("\n");
}

/** Installs `names` with apt, without starting services; returns what went wrong, if anything. */
function installPackages(names: readonly string[]): string | undefined {
	const folder = join(import.meta.dirname, "../.virtkit");
	mkdirSync(folder, { recursive: true });
	const log = join(folder, "apt.log");
	using _guard = denyServiceStarts();
	const install = ["install", "--no-install-recommends", ...names];
	// The lists at hand are often good enough; they are only fetched anew when they are not.
	if (aptGet(log, ...install) || (aptGet(log, "update") && aptGet(log, ...install))) return undefined;
	return `apt-get failed:\n${readFileSync(log, "utf8").trimEnd().split("\n").slice(-5).join("\n")}\n(all of it in ${log})`;
}

/**
 * Brings what `purpose` needs; returns undefined when all of it is there, else what a person has to do.
 *
 * Says on stderr what it installs.
 */
export function ensurePackages(purpose: Purpose): string | undefined {
	const machine = thisMachine();
	const missing = missingFor(purpose, SYSTEM_PACKAGES, machine);
	if (missing.length === 0) return undefined;
	const names = missing.map((entry) => packageName(entry, machine)).filter((name) => name !== undefined);
	const list = describeMissing(missing);
	if (names.length < missing.length) return `Debian has no package for ${machine.cpu} of one of these:\n${list}`;
	if (process.getuid?.() !== 0) {
		return `needed and not installed:\n${list}\nInstall them as root: apt-get install --no-install-recommends ${names.join(" ")}`;
	}
	console.error(`virtkit: installing with apt, starting no service:\n${list}`);
	return installPackages(names);
}

if (import.meta.main) {
	const purpose = PURPOSES.find((known) => known === process.argv[2]);
	const problem = purpose === undefined ? `usage: install.ts ${PURPOSES.join("|")}` : ensurePackages(purpose);
	if (problem !== undefined) {
		console.error(`virtkit: ${problem}`);
		process.exitCode = 1;
	}
}
