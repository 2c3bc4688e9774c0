// Bare QEMU driven by hand: from the spawn of the process to the answer to `cont`.

import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { listenOnUnixSocket } from "@virtkit/host/listening-socket";
import { QmpClient } from "@virtkit/qmp/client";

/** What is plugged in by hand: the parts behind the device, in order, and the device, which has the id `plugged`. */
export interface BarePlug {
	readonly parts: readonly { readonly add: Command; readonly remove: Command }[];
	readonly device: Readonly<Record<string, unknown>>;
}

type Command = readonly [name: string, args: Readonly<Record<string, unknown>>];

/** The same devices as the daemons' clients plug in, `image` being the disk's. */
export function barePlugs(image: string): Readonly<Record<"mouse" | "disk" | "card", BarePlug>> {
	const node = (name: string, args: object): BarePlug["parts"][number] => ({
		add: ["blockdev-add", { ...args, "node-name": name }],
		remove: ["blockdev-del", { "node-name": name }],
	});
	return {
		mouse: { parts: [], device: { driver: "usb-mouse", bus: "usb.0" } },
		disk: {
			parts: [node("storage", { driver: "file", filename: image }), node("format", { driver: "raw", file: "storage" })],
			device: { driver: "usb-storage", bus: "usb.0", drive: "format" },
		},
		card: {
			parts: [{ add: ["netdev_add", { type: "user", id: "host" }], remove: ["netdev_del", { id: "host" }] }],
			device: { driver: "usb-net", bus: "usb.0", netdev: "host", mac: "52:54:00:00:00:01" },
		},
	};
}

/** Milliseconds of plugging that into a paused guest and out again by hand, of `rounds` times each. */
export async function barePlug(
	emulator: string,
	options: readonly string[],
	folder: string,
	{ parts, device, rounds }: BarePlug & { readonly rounds: number },
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
			for (const { add } of parts) await client.executeUntyped(...add);
			await client.executeUntyped("device_add", { ...device, id: "plugged" });
			const gone = new Promise<void>((resolve) => {
				const stop = client.onEvent("DEVICE_DELETED", ({ data }) => {
					if (data.device !== "plugged") return;
					stop();
					resolve();
				});
			});
			await client.executeUntyped("device_del", { id: "plugged" });
			await gone;
			for (const { remove } of parts.toReversed()) await client.executeUntyped(...remove);
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
