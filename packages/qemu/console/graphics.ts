// A guest's graphical console over a socket of the client's own, instead of the one that it listens on.

import { closeSync, fstatSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import { socketPairDescriptors } from "@virtkit/host/native";
import { systemError } from "@virtkit/host/system-error";
import type { GraphicsType } from "@virtkit/model/domain/graphics";
import { isQmpError } from "@virtkit/qmp/qmp-error";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";

/** VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH */
const SKIP_AUTHENTICATION = 1;

/** What QEMU calls the socket until the console has it. */
const FD_NAME = "graphicsfd";

/** Protocols of QEMU's add_client. */
const PROTOCOLS: Partial<Record<GraphicsType, string>> = { vnc: "vnc", spice: "spice", dbus: "@dbus-display" };

function protocolOf({ live: { def } }: Run, index: number): string {
	const graphics = def.devices.graphics[index];
	if (graphics === undefined) throw new VirtError("INTERNAL_ERROR", `No graphics backend with index ${index}`);
	const protocol = PROTOCOLS[graphics.type];
	if (protocol !== undefined) return protocol;
	throw new VirtError(
		"CONFIG_UNSUPPORTED",
		`Can only open VNC, SPICE or D-Bus p2p graphics backends, not ${graphics.type}`,
	);
}

/** Gives QEMU a copy of `fd`, over which console `index` speaks from now on. */
async function addClient({ monitor }: Run, protocol: string, fd: number, flags: number): Promise<void> {
	await monitor.sendWithFd(fd, "getfd", { fdname: FD_NAME });
	try {
		const skipauth = (flags & SKIP_AUTHENTICATION) !== 0;
		await monitor.execute("add_client", { protocol, fdname: FD_NAME, skipauth });
	} catch (error) {
		// QEMU has it still, unless it took it and then refused it.
		if (isQmpError(error)) await monitor.execute("closefd", { fdname: FD_NAME }).catch(() => undefined);
		throw error;
	}
}

function checkSocket(fd: number): void {
	let isSocket: boolean;
	try {
		isSocket = fstatSync(fd).isSocket();
	} catch (error) {
		throw systemError(`Unable to access file descriptor ${fd}`, error);
	}
	if (!isSocket) throw new VirtError("INVALID_ARG", `fd ${fd} must be a socket`);
}

async function openGraphics(domain: QemuDomain, index: number, fd: number, flags: number): Promise<void> {
	const run = domain.activeRun();
	checkSocket(fd);
	await addClient(run, protocolOf(run, index), fd, flags);
}

async function openGraphicsFd(domain: QemuDomain, index: number, flags: number): Promise<number> {
	const run = domain.activeRun();
	const protocol = protocolOf(run, index);
	const [ours, theirs] = socketPairDescriptors();
	try {
		await addClient(run, protocol, theirs, flags);
		return ours;
	} catch (error) {
		closeSync(ours);
		throw error;
	} finally {
		closeSync(theirs);
	}
}

export const graphicsOperations: Pick<DomainOperations<QemuDomain>, "openGraphics" | "openGraphicsFd"> = {
	openGraphics,
	openGraphicsFd,
};
