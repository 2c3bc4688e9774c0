// Makes a guest's tap device and plugs it into a bridge.

import { closeSync } from "node:fs";
import { changeLink, readMtu } from "./link.ts";
import { openTap, type Tap, type TapOptions } from "./tap.ts";

export interface BridgeTapOptions extends Pick<TapOptions, "queues" | "vnetHeader" | "device"> {
	readonly bridge: string;
	/** The guest's own address. */
	readonly guestMac: string;
	/** "vnet%d" unless told. */
	readonly name?: string;
	/** The bridge's unless told. */
	readonly mtu?: number;
}

/**
 * The address of the host's side: the guest's with a first byte of fe, as libvirt has it. A bridge takes the lowest
 * address of its ports for its own, and must not change it with every guest that comes and goes.
 */
export function hostMac(guestMac: string): string {
	return guestMac.replace(/^[0-9a-fA-F]{2}/, "fe").toLowerCase();
}

/**
 * A tap device that is up and in the bridge; the kernel removes it when its descriptors are closed.
 *
 * @throws VirtError SYSTEM_ERROR naming the bridge when there is none, or the device when the kernel refuses it.
 */
export async function openBridgeTap(options: BridgeTapOptions): Promise<Tap> {
	const mtu = options.mtu ?? readMtu(options.bridge);
	const tap = openTap({ ...options, name: options.name ?? "vnet%d" });
	try {
		await changeLink(tap.name, { mac: hostMac(options.guestMac), mtu, master: options.bridge, up: true });
		return tap;
	} catch (error) {
		for (const fd of tap.fds) closeSync(fd);
		throw error;
	}
}
