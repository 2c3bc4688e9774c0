// Opens the kernel's server of a guest's AF_VSOCK sockets and gives the guest its address (CID) among all of the host.

import { closeSync, openSync } from "node:fs";
import { constants } from "node:os";
import { callLibc } from "./libc.ts";
import { systemError } from "./system-error.ts";

/** linux/vhost.h */
const VHOST_VSOCK_SET_GUEST_CID = 0x4008af60;

/** Addresses below are the hypervisor's and the host's (linux/vm_sockets.h); the highest stands for any. */
const CIDS = [3, 0xffff_fffe] as const;

const DEVICE = "/dev/vhost-vsock";

/** An open server; the caller closes `fd` (`closeSync`) once it is handed over. */
export interface VhostVsock {
	readonly fd: number;
	readonly cid: number;
}

/** Takes an address; false where somebody on the host has it. */
export type ClaimCid = (cid: number) => boolean;

/** The lowest address that can be had. Throws SYSTEM_ERROR where all are taken. */
export function firstFreeCid(claim: ClaimCid): number {
	const [min, max] = CIDS;
	for (let cid = min; cid <= max; cid++) if (claim(cid)) return cid;
	throw systemError("failed to acquire guest cid", constants.errno.EADDRINUSE);
}

/** Has the kernel serve `cid` on this descriptor, and on no other as long as it is open anywhere. */
function claimCid(fd: number, cid: number): boolean {
	const result = callLibc("ioctl", fd, VHOST_VSOCK_SET_GUEST_CID, BigUint64Array.of(BigInt(cid)));
	if (!("errno" in result)) return true;
	if (result.errno === constants.errno.EADDRINUSE) return false;
	throw systemError(`failed to set guest cid ${cid}`, result.errno);
}

/**
 * Opens the server with the address `cid`, or with the lowest free one where that is undefined.
 *
 * The kernel keeps the book of addresses in use: whoever holds the descriptor has the address, so it is also kept from
 * other daemons, and stays with a guest whose daemon ends.
 * @throws VirtError SYSTEM_ERROR naming the device that cannot be opened, or the address that is taken.
 */
export function openVhostVsock(cid: number | undefined, device = DEVICE): VhostVsock {
	let fd: number;
	try {
		fd = openSync(device, "r+");
	} catch (error) {
		throw systemError(`unable to open vhost-vsock device '${device}'`, error);
	}
	try {
		if (cid === undefined) return { fd, cid: firstFreeCid((each) => claimCid(fd, each)) };
		if (!claimCid(fd, cid)) throw systemError(`failed to set guest cid ${cid}`, constants.errno.EADDRINUSE);
		return { fd, cid };
	} catch (error) {
		closeSync(fd);
		throw error;
	}
}
