// Two daemons of one machine, each another host to the other, for the tests of one file.

import { after } from "node:test";
import { findProcesses } from "@virtkit/host/process";
import { startDaemon, type TestDaemon } from "./daemon.ts";

/** Starts both; they end with all their guests after the file's tests, or at once where only one came up. */
export async function startDaemonPair(): Promise<readonly [source: TestDaemon, target: TestDaemon]> {
	const starts = [startDaemon(), startDaemon()] as const;
	const end = async () => {
		for (const start of await Promise.allSettled(starts))
			if (start.status === "fulfilled") await start.value[Symbol.asyncDispose]();
	};
	try {
		const pair = await Promise.all(starts);
		after(end);
		return pair;
	} catch (error) {
		await end();
		throw error;
	}
}

/** How many emulators the daemon has running. */
export const guestCount = ({ root }: TestDaemon): number => findProcesses(`${root}/lib/qemu/domain-`).length;

/** The domain's state and why, as virsh tells it: `running (migrated)`. */
export const stateOf = async (daemon: TestDaemon, name: string): Promise<string> =>
	(await daemon.virsh("domstate", name, "--reason")).trim();
