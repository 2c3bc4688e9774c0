// What a QEMU that has just come up is asked and told before its guest runs, all of it in as few round trips as can be.

import { VirtError } from "@virtkit/base/errors";
import { GUEST_AGENT_CHANNEL } from "@virtkit/model/domain/channel";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { QmpCommands } from "@virtkit/qapi/schema.gen";
import { isEmptyDisk } from "../devices/disk-image.ts";
import { throttleCommands } from "../devices/disk-throttle.ts";
import type { Run } from "../domain/run.ts";

/** One thing to ask or tell; its promise fails where QEMU refuses. */
type Step = (run: Run, def: DomainDef) => Promise<unknown> | undefined;

const readVcpus: Step = async (run) => {
	rememberVcpus(run, await run.monitor.execute("query-cpus-fast"));
};

/** Keeps the threads of the vCPUs. */
export function rememberVcpus(run: Run, cpus: QmpCommands["query-cpus-fast"]["ret"]): void {
	run.vcpuThreads.clear();
	for (const cpu of cpus) run.vcpuThreads.set(cpu["cpu-index"], cpu["thread-id"]);
}

const readIothreads: Step = (run, def) =>
	(def.iothreads ?? 0) === 0
		? undefined
		: run.monitor.execute("query-iothreads").then((threads) => rememberIothreads(run, threads));

function rememberIothreads(run: Run, threads: QmpCommands["query-iothreads"]["ret"]): void {
	for (const { id, "thread-id": thread } of threads) {
		const number = /^iothread(\d+)$/.exec(id)?.[1];
		if (number !== undefined) run.iothreadThreads.set(Number(number), thread);
	}
}

/** Paths of the pseudo-terminals that QEMU made. */
const readTerminals: Step = (run, def) => {
	const { serials, parallels, channels, consoles } = def.devices;
	const devices = [...serials, ...parallels, ...channels, ...consoles].filter(({ type }) => type === "pty");
	if (devices.length === 0) return undefined;
	return run.monitor.execute("query-chardev").then((chardevs) => {
		const paths = new Map(
			chardevs.flatMap(({ label, filename }) => (filename.startsWith("pty:") ? [[label, filename.slice(4)]] : [])),
		);
		for (const device of devices) {
			const path = paths.get(`char${device.alias}`);
			if (path !== undefined) device.source = { mode: "connect", seclabels: [], ...device.source, path };
		}
		const [console] = consoles;
		// The first console may be the first serial port by another name; then its terminal is the port's.
		const [serial] = serials;
		if (console?.type === "pty" && serial?.type === "pty" && (console.target.type ?? "serial") === "serial")
			console.source = { mode: "connect", seclabels: [], ...serial.source };
		if (console?.source?.path !== undefined) console.tty = console.source.path;
		run.live.changed();
	});
};

const setPasswords: Step = (run, def) => {
	const calls = def.devices.graphics.flatMap((graphics) => {
		if ((graphics.type !== "vnc" && graphics.type !== "spice") || graphics.passwd === undefined) return [];
		const { type: protocol, passwd: password, connected, passwdValidTo } = graphics;
		const time = passwdValidTo === undefined ? "never" : String(Date.parse(`${passwdValidTo}Z`) / 1000);
		return [
			run.monitor.execute("set_password", { protocol, password, ...(connected ? { connected } : {}) }),
			run.monitor.execute("expire_password", { protocol, time }),
		];
	});
	return calls.length === 0 ? undefined : Promise.all(calls);
};

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

/** Where the balloon is among QEMU's objects. */
export const balloonPath = (def: DomainDef): string | undefined => {
	const { memballoon } = def.devices;
	return memballoon && memballoon.model !== "none" && memballoon.alias !== undefined
		? `/machine/peripheral/${memballoon.alias}`
		: undefined;
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
	readVcpus,
	readIothreads,
	readTerminals,
	setPasswords,
	setLinks,
	setBalloon,
	setActions,
	setThrottles,
	forgetEmptyImages,
];

/** Asks and tells all of it at once. Throws what the first refusal was. */
export async function setUp(run: Run): Promise<void> {
	await Promise.all(STEPS.map((step) => step(run, run.live.def)));
}

/** What the balloon and the channels are now. */
const readBalloon: Step = (run, def) =>
	balloonPath(def) === undefined
		? undefined
		: run.monitor.execute("query-balloon").then(({ actual }) => {
				def.currentMemory = Math.ceil(actual / 1024);
			});

const readChannels: Step = (run, def) => {
	const channels = def.devices.channels.filter(({ target }) => target.type === "virtio");
	if (channels.length === 0) return undefined;
	return run.monitor.execute("query-chardev").then((chardevs) => {
		for (const { alias, target } of channels) {
			const open = chardevs.find(({ label }) => label === `char${alias}`)?.["frontend-open"] ?? false;
			if (target.type !== "virtio") continue;
			target.state = open ? "connected" : "disconnected";
			if (target.name === GUEST_AGENT_CHANNEL) run.agentOpen = open;
		}
	});
};

/** Learns anew what QEMU alone knows, of a guest taken over. */
export async function refresh(run: Run): Promise<void> {
	const steps = [readVcpus, readIothreads, readTerminals, readBalloon, readChannels];
	await Promise.all(steps.map((step) => step(run, run.live.def)));
	run.live.changed();
}
