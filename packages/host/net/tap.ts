// Opens the queues of a tap device on /dev/net/tun, for QEMU to inherit or receive.

import { closeSync, openSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import { callLibc } from "../libc.ts";
import { systemError } from "../system-error.ts";

// linux/if_tun.h
const TUNSETIFF = 0x400454ca;
const TUNSETPERSIST = 0x400454cb;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const IFF_MULTI_QUEUE = 0x0100;
const IFNAMSIZ = 16;
const IFREQ_SIZE = 40;

export interface TapOptions {
	/** The interface's name; `%d` in it lets the kernel pick a free number ("vnet%d"). */
	readonly name: string;
	/** One descriptor is opened per queue; 1 unless told. */
	readonly queues?: number;
	/** Packets carry a virtio-net header: what a virtio NIC wants. */
	readonly vnetHeader?: boolean;
	/** The interface outlives the descriptors. */
	readonly persistent?: boolean;
	/** The device node, for tests and containers; /dev/net/tun unless told. */
	readonly device?: string;
}

/** A tap device and one open descriptor per queue; the caller closes them (`closeSync`) once they are handed over. */
export interface Tap {
	readonly name: string;
	readonly fds: readonly number[];
}

function attachQueue(fd: number, name: string, flags: number): string {
	const request = new Uint8Array(IFREQ_SIZE);
	request.set(new TextEncoder().encode(name));
	new Uint16Array(request.buffer, IFNAMSIZ, 1)[0] = flags;
	const result = callLibc("ioctl", fd, TUNSETIFF, request);
	if ("errno" in result) throw systemError(`Unable to create tap device ${name}`, result.errno);
	const end = request.indexOf(0);
	return new TextDecoder().decode(request.subarray(0, end < 0 || end > IFNAMSIZ ? IFNAMSIZ : end));
}

/** Creates the tap device, or opens it where a persistent one of that name exists. */
export function openTap(options: TapOptions): Tap {
	const { queues = 1, device = "/dev/net/tun" } = options;
	if (Buffer.byteLength(options.name) >= IFNAMSIZ || options.name === "") {
		throw new VirtError("INVALID_ARG", `network interface name '${options.name}' must have 1 to ${IFNAMSIZ - 1} bytes`);
	}
	const flags = IFF_TAP | IFF_NO_PI | (options.vnetHeader ? IFF_VNET_HDR : 0) | (queues > 1 ? IFF_MULTI_QUEUE : 0);
	const fds: number[] = [];
	try {
		let name = options.name;
		for (let queue = 0; queue < queues; queue++) {
			const fd = openDevice(device);
			fds.push(fd);
			name = attachQueue(fd, name, flags);
		}
		if (options.persistent) setPersistent(fds[0] ?? -1, name, true);
		return { name, fds };
	} catch (error) {
		for (const fd of fds) closeSync(fd);
		throw error;
	}
}

function openDevice(device: string): number {
	try {
		return openSync(device, "r+");
	} catch (error) {
		throw systemError(`Unable to open ${device}, is tun module loaded?`, error);
	}
}

/** Makes the tap behind `fd` outlive its descriptors, or not. */
export function setPersistent(fd: number, name: string, persistent: boolean): void {
	const result = callLibc("ioctl", fd, TUNSETPERSIST, persistent ? 1 : 0);
	if ("errno" in result) throw systemError(`Unable to set tap device ${name} persistence`, result.errno);
}
