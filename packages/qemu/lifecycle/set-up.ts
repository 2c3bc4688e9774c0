// What a QEMU that has just come up is asked and told before its guest runs, all of it in as few round trips as can be.

import { VirtError } from "@virtkit/base/errors";
import { isEmptyDisk } from "../devices/disk-image.ts";
import { throttleCommands } from "../devices/disk-throttle.ts";
import { setPassword } from "../devices/graphics-password.ts";
import type { Run } from "../domain/run.ts";
import type { DriverSettings } from "../settings.ts";
import { balloonPath, READ, type Step } from "./refresh.ts";

const setLinks: Step = (run, def) => {
	const down = def.devices.interfaces.filter(({ link }) => link?.state === "down");
	if (down.length === 0) return undefined;
	return Promise.all(
		down.map(({ alias = "" }) =>
			run.monitor.execute("set_link", { name: alias, up: false }).catch((cause) => {
				throw new VirtError("OPERATION_FAILED", `Couldn't set link state on interface: ${alias}`, { cause });
			}),
		),
	);
};

const setBalloon: Step = (run, def) => {
	const path = balloonPath(def);
	const period = def.devices.memballoon?.stats?.period ?? 0;
	const [current, all] = [def.currentMemory ?? 0, def.memory?.size ?? 0];
	if (path === undefined) return undefined;
	return Promise.all([
		period > 0
			? run.monitor.execute("qom-set", { path, property: "guest-stats-polling-interval", value: period })
			: undefined,
		current > 0 && current < all ? run.monitor.execute("balloon", { value: current * 1024 }) : undefined,
	]);
};

/** Has a guest that went on from a saved state have the memory that its user wants: its balloon is as it was saved. */
export async function wishMemory(run: Run): Promise<void> {
	const kib = run.wantedMemory;
	if (kib !== undefined && kib > 0 && balloonPath(run.live.def) !== undefined)
		await run.monitor.execute("balloon", { value: kib * 1024 });
}

/** Limits of disks, which QEMU takes once its devices stand. */
const setThrottles: Step = (run, def) => {
	const commands = throttleCommands(def);
	if (commands.length === 0) return undefined;
	return Promise.all(commands.map((command) => run.monitor.executeUntyped(command.execute, command.arguments)));
};

/** Drives without a medium have no image any more: what was made up for the command line is forgotten. */
const forgetEmptyImages: Step = (run, def) => {
	for (const disk of def.devices.disks) {
		if (!isEmptyDisk(disk)) continue;
		delete disk.source;
		delete disk.driver.type;
	}
	run.live.changed();
	return undefined;
};

/** A guest that is to end where it reboots: QEMU shuts down instead. */
const setActions: Step = (run, def) =>
	def.on_reboot === "destroy" && run.caps.hasSchema("set-action")
		? run.monitor.execute("set-action", { reboot: "shutdown" })
		: undefined;

const STEPS: readonly Step[] = [
	setLinks,
	setBalloon,
	setActions,
	setThrottles,
	forgetEmptyImages,
	// Last, so that what is asked is what was told.
	...READ,
];

/** Asks and tells all of it at once. Throws what the first refusal was. */
export async function setUp(run: Run, settings: DriverSettings): Promise<void> {
	const { def } = run.live;
	await Promise.all([
		...def.devices.graphics.map((graphics) => setPassword(run, graphics, settings)),
		...STEPS.map((step) => step(run, def)),
	]);
}
