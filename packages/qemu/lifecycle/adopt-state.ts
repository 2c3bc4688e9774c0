// The state of a guest whose QEMU was out of sight, from what was last known and what QEMU says.

import type { DomainState } from "@virtkit/core/domain-state";

/** What a guest is that does not run, by QEMU's run state (QEMU: qapi/run-state.json, RunState). */
const STILL: Readonly<Record<string, DomainState>> = {
	shutdown: { state: "shutdown", reason: "unknown" },
	"guest-panicked": { state: "crashed", reason: "panicked" },
	suspended: { state: "pmsuspended", reason: "unknown" },
	"io-error": { state: "paused", reason: "ioerror" },
	watchdog: { state: "paused", reason: "watchdog" },
	paused: { state: "paused", reason: "user" },
	inmigrate: { state: "paused", reason: "migration" },
	"finish-migrate": { state: "paused", reason: "migration" },
	postmigrate: { state: "paused", reason: "migration" },
	"save-vm": { state: "paused", reason: "save" },
};

/** The state now. Where it is still the one last known, so is the reason. */
export function stateOfMachine(before: DomainState, machine: string): DomainState {
	if (machine === "running") {
		if (before.state === "running") return before;
		const starting = before.state === "paused" && before.reason === "starting-up";
		return { state: "running", reason: starting ? "booted" : before.state === "pmsuspended" ? "wakeup" : "unpaused" };
	}
	const now = STILL[machine] ?? { state: "paused", reason: "unknown" };
	return now.state === before.state ? before : now;
}
