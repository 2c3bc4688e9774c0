// Opens what a guest's devices need of the host before QEMU starts: taps, and the kernel's servers of virtio devices.

import { closeSync, openSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import { isErrno, systemError } from "@virtkit/host/system-error";
import { openVhostVsock } from "@virtkit/host/vhost-vsock";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { HostdevDef } from "@virtkit/model/domain/hostdev";
import type { VsockDef } from "@virtkit/model/domain/vsock";
import { VHOST_SCSI } from "../devices/hostdev-build.ts";
import type { Run } from "../domain/run.ts";
import { closeInterface, openInterface } from "./host-interfaces.ts";

/** Descriptors by device, for QEMU to inherit; disposing closes this process's copies. */
export interface OpenDescriptors extends Disposable {
	readonly descriptors: ReadonlyMap<object, readonly number[]>;
}

/** Opens the server of the guest's sockets, and writes the address that was chosen into the device. */
export function openVsock(vsock: VsockDef): readonly number[] {
	const { fd, cid } = openVhostVsock(vsock.cid?.auto === false ? vsock.cid.address : undefined);
	vsock.cid = { ...vsock.cid, address: cid };
	return [fd];
}

/** Opens the server of a host adapter that the kernel serves; none where it is another device of the host. */
export function openHostdev({ scsiHost }: HostdevDef): readonly number[] {
	if (!scsiHost) return [];
	try {
		return [openSync(VHOST_SCSI, "r+")];
	} catch (error) {
		if (isErrno(error, "ENOENT"))
			throw new VirtError("CONFIG_UNSUPPORTED", `vhost-scsi device file '${VHOST_SCSI}' cannot be found`);
		throw systemError(`Failed to open ${VHOST_SCSI}`, error);
	}
}

/**
 * Opens what the definition's devices need, and writes the names and addresses that were chosen into it.
 *
 * The kernel removes taps and frees addresses with the last of their descriptors, so QEMU's end takes them away.
 * @throws VirtError naming the bridge, network or device that cannot be had; nothing stays open then.
 */
export async function openDescriptors(def: DomainDef): Promise<OpenDescriptors> {
	const { interfaces, vsock, hostdevs } = def.devices;
	const descriptors = new Map<object, readonly number[]>();
	const close = () => {
		for (const fd of [...descriptors.values()].flat()) closeSync(fd);
		descriptors.clear();
	};
	const keep = (device: object, fds: readonly number[]) => {
		if (fds.length > 0) descriptors.set(device, fds);
	};
	try {
		for (const net of interfaces) keep(net, await openInterface(def, net));
		for (const hostdev of hostdevs) keep(hostdev, openHostdev(hostdev));
		if (vsock) keep(vsock, openVsock(vsock));
	} catch (error) {
		const opened = interfaces.filter((net) => descriptors.has(net));
		close();
		await closeInterfaces(opened);
		throw error;
	}
	return { descriptors, [Symbol.dispose]: close };
}

/** Takes back what the host's interfaces were given, all of them; throws what went wrong first. */
export async function closeInterfaces(interfaces: DomainDef["devices"]["interfaces"]): Promise<void> {
	const results = await Promise.allSettled(interfaces.map(closeInterface));
	for (const result of results) if (result.status === "rejected") throw result.reason;
}

/** Has what the host's interfaces were given taken back with the run. */
export function ownInterfaces(run: Run): void {
	run.resources.defer("the host's network interfaces", () => closeInterfaces(run.live.def.devices.interfaces));
}
