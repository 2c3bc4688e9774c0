// Keeps services from being started by apt while it installs packages for us (Debian policy-rc.d, invoke-rc.d(8)).

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";

const MARK = "written by virtkit";

/**
 * Denies every start of a service until disposed of; leaves an administrator's own policy alone.
 *
 * The policy only holds while this process lives: one that outlives us by a crash allows everything again.
 */
export function denyServiceStarts(file = "/usr/sbin/policy-rc.d"): Disposable {
	const ours = () => existsSync(file) && readFileSync(file, "utf8").includes(MARK);
	if (existsSync(file) && !ours()) return { [Symbol.dispose]: () => {} };
	const script = [
		"#!/bin/sh",
		`# Starts no service while virtkit installs packages; ${MARK}, of no effect once it has ended.`,
		`[ -d /proc/${process.pid} ] || exit 0`,
		"exit 101",
	];
	writeFileSync(file, `${script.join("\n")}\n`, { mode: 0o755 });
	return {
		[Symbol.dispose]: () => {
			if (ours()) rmSync(file);
		},
	};
}
