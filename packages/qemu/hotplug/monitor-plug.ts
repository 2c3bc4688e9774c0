// Plugs the parts of a device into a running QEMU and takes them out again, all commands in one round trip.

import type { UndoStack } from "@virtkit/base/undo-stack";
import { isQmpError } from "@virtkit/qmp/qmp-error";
import type { Run, UnplugOutcome } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import type { Plug, PlugLine } from "./plug-line.ts";

/** How long a guest may take to let go of a device before the caller is answered, in milliseconds (libvirt's own). */
export const UNPLUG_WAIT_MS = 5000;

/**
 * Plugs everything in. QEMU carries the commands out in order; what stands on one that it refused is refused too.
 *
 * What was done is undone with `undo`. Throws QEMU's first refusal.
 */
export async function plugIn(run: Run, line: PlugLine, undo: UndoStack): Promise<void> {
	const { plugs } = line;
	for (const { fd, name } of line.fds) {
		await run.monitor.sendWithFd(fd, "getfd", { fdname: name });
		// Whoever uses the descriptor takes it away: then there is nothing to close.
		undo.defer(`descriptor ${name}`, () => closeDescriptor(run, name));
	}
	for (const { fd, set, opaque } of line.setFds) {
		const { "fdset-id": id, fd: member } = await run.monitor.sendWithFd(fd, "add-fd", { "fdset-id": set, opaque });
		undo.defer(`descriptor ${opaque}`, () => removeFromSet(run, id, member));
	}
	const results = await Promise.allSettled(
		plugs.map((plug) => run.monitor.executeUntyped(plug.execute, plug.arguments)),
	);
	for (const [index, plug] of plugs.entries())
		if (results[index]?.status === "fulfilled") undo.defer(plug.execute, () => takeOut(run, plug));
	for (const result of results) if (result.status === "rejected") throw result.reason;
}

async function closeDescriptor(run: Run, name: string): Promise<void> {
	if (run.monitor.loss) return;
	try {
		await run.monitor.execute("closefd", { fdname: name });
	} catch (error) {
		if (!isQmpError(error)) throw error;
	}
}

async function removeFromSet(run: Run, set: number, member: number): Promise<void> {
	if (run.monitor.loss) return;
	await run.monitor.execute("remove-fd", { "fdset-id": set, fd: member });
}

/** Takes back the sets of descriptors that QEMU was given under that word. */
export async function removeFdSets(run: Run, opaque: string): Promise<void> {
	if (run.monitor.loss) return;
	const sets = await run.monitor.execute("query-fdsets");
	for (const { "fdset-id": set, fds } of sets)
		if (fds.some((fd) => fd.opaque === opaque)) await run.monitor.execute("remove-fd", { "fdset-id": set });
}

async function takeOut(run: Run, { undo, isDevice }: Plug): Promise<void> {
	if (undo === undefined || run.monitor.loss) return;
	if (isDevice) await unplugDevice(run, String(undo.arguments.id), UNPLUG_WAIT_MS);
	else await run.monitor.executeUntyped(undo.execute, undo.arguments);
}

/** Takes out what stood behind a device that is gone. What QEMU no longer has is no reason to stop. */
export async function takeOutBackends(driver: Driver, run: Run, line: PlugLine): Promise<void> {
	const parts = line.plugs.filter(({ isDevice }) => !isDevice).toReversed();
	const results = await Promise.allSettled(
		parts.map(({ undo }) => undo && run.monitor.executeUntyped(undo.execute, undo.arguments)),
	);
	for (const result of results)
		if (result.status === "rejected" && !run.monitor.loss)
			driver.log.warn(`what stood behind a removed device of '${run.live.def.name}' stays: ${String(result.reason)}`);
}

/**
 * Asks the guest to let go of the device and waits for it; "pending" where it takes longer than `waitMs`, "missing" where
 * QEMU has no such device. Throws where QEMU refuses to ask.
 */
export async function unplugDevice(
	run: Run,
	id: string,
	waitMs: number,
): Promise<UnplugOutcome | "pending" | "missing"> {
	const { promise, resolve } = Promise.withResolvers<UnplugOutcome | "pending">();
	const timer = setTimeout(() => resolve("pending"), waitMs);
	const lost = (): void => resolve("pending");
	run.monitor.once("close", lost);
	run.unplugs.set(id, resolve);
	let seen: UnplugOutcome | undefined;
	void promise.then((outcome) => {
		seen = outcome === "pending" ? undefined : outcome;
	});
	try {
		await run.monitor.execute("device_del", { id });
		return await promise;
	} catch (error) {
		// It was gone already, or went while QEMU was asked.
		if (seen === "deleted") return seen;
		if (isQmpError(error, "DeviceNotFound")) return "missing";
		throw error;
	} finally {
		clearTimeout(timer);
		run.monitor.off("close", lost);
		run.unplugs.delete(id);
	}
}
