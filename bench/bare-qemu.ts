// Bare QEMU driven by hand: from the spawn of the process to the answer to `cont`.

import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { listenOnUnixSocket } from "@virtkit/host/listening-socket";
import { QmpClient } from "@virtkit/qmp/client";

/** Milliseconds of plugging a USB mouse into a paused guest and out again by hand, of `rounds` times each. */
export async function barePlug(
	emulator: string,
	options: readonly string[],
	folder: string,
	rounds: number,
): Promise<number[]> {
	const path = join(folder, "plug.sock");
	const listening = listenOnUnixSocket(path);
	const monitor = ["-chardev", "socket,id=mon,fd=3,server=on,wait=off", "-mon", "chardev=mon,mode=control", "-S"];
	const child = spawn(emulator, [...options, ...monitor], { stdio: ["ignore", "ignore", "ignore", listening.fd] });
	listening.close();
	const times: number[] = [];
	try {
		const client = QmpClient.connect(path, { label: "bare" });
		for (let round = 0; round < rounds; round++) {
			const began = performance.now();
			await client.executeUntyped("device_add", { driver: "usb-mouse", id: "mouse", bus: "usb.0" });
			const gone = new Promise<void>((resolve) => {
				const stop = client.onEvent("DEVICE_DELETED", ({ data }) => {
					if (data.device !== "mouse") return;
					stop();
					resolve();
				});
			});
			await client.executeUntyped("device_del", { id: "mouse" });
			await gone;
			times.push(performance.now() - began);
		}
		client.close();
		return times;
	} finally {
		const ended = new Promise((resolve) => child.once("exit", resolve));
		child.kill("SIGKILL");
		await ended;
		rmSync(path, { force: true });
	}
}

/** Milliseconds until a guest with these options runs. The process is ended before this returns. */
export async function bareStart(emulator: string, options: readonly string[], folder: string): Promise<number> {
	const path = join(folder, "bare.sock");
	const began = performance.now();
	const listening = listenOnUnixSocket(path);
	const monitor = ["-chardev", "socket,id=mon,fd=3,server=on,wait=off", "-mon", "chardev=mon,mode=control", "-S"];
	const child = spawn(emulator, [...options, ...monitor], { stdio: ["ignore", "ignore", "ignore", listening.fd] });
	listening.close();
	try {
		const client = QmpClient.connect(path, { label: "bare" });
		await client.execute("cont");
		const took = performance.now() - began;
		client.close();
		return took;
	} finally {
		const ended = new Promise((resolve) => child.once("exit", resolve));
		child.kill("SIGKILL");
		await ended;
		rmSync(path, { force: true });
	}
}
