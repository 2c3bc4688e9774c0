// The daemon's end of a tunnelled migration: a pair of sockets, one end QEMU's, the other joined with a stream of the connection.

import { Socket } from "node:net";
import { closeDescriptor, socketPairDescriptors } from "@virtkit/host/native";
import type { QmpClient } from "@virtkit/qmp/client";

/** Name by which QEMU keeps a connection until it is used. */
export const DESCRIPTOR = "migrate";

/** Gives QEMU one end as `fd:migrate`; answers ours. */
export async function giveSocket(monitor: QmpClient): Promise<Socket> {
	const [here, there] = socketPairDescriptors();
	const socket = new Socket({ fd: here, allowHalfOpen: true, readable: true, writable: true });
	try {
		await monitor.sendWithFd(there, "getfd", { fdname: DESCRIPTOR });
		return socket;
	} catch (error) {
		socket.destroy();
		throw error;
	} finally {
		closeDescriptor(there);
	}
}
