// Runs QEMU with nothing of ours in between, for tests of the guests themselves.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";

/** A QEMU whose first serial port is read and written here; killed when its scope ends. */
export interface RawQemu extends AsyncDisposable {
	readonly child: ChildProcess;
	/** What the serial port said so far. */
	output(): string;
	/** Waits until it said this; guests boot slowly where the machine is busy besides. @throws Error with the output when QEMU ends or `deadlineMs` passes first. */
	until(text: string, deadlineMs?: number): Promise<void>;
	send(text: string): void;
	/** Waits for QEMU's end. */
	ended(): Promise<void>;
}

/** Starts QEMU with emulation, no display, and the given options. */
export function rawQemu(args: readonly string[]): RawQemu {
	const base = ["-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio"];
	const child = spawn("qemu-system-x86_64", [...base, ...args], { stdio: "pipe" });
	let text = "";
	let over = false;
	child.stdout.on("data", (data: Buffer) => (text += data.toString("latin1")));
	child.stderr.on("data", (data: Buffer) => (text += data.toString("latin1")));
	const exit = once(child, "exit").then(() => {
		over = true;
	});
	return {
		child,
		output: () => text,
		until: async (wanted, deadlineMs = 120_000) => {
			const deadline = performance.now() + deadlineMs;
			while (!text.includes(wanted)) {
				if (over || performance.now() > deadline) throw new Error(`never said '${wanted}' but:\n${text}`);
				await delay(10);
			}
		},
		send: (input) => {
			child.stdin.write(input);
		},
		ended: () => exit,
		[Symbol.asyncDispose]: async () => {
			child.kill("SIGKILL");
			await exit;
		},
	};
}
