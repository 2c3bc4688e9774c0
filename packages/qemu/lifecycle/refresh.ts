// What QEMU alone knows of a guest: its threads, terminals, balloon, channels. Asked when it comes up and when it is taken over.

import { GUEST_AGENT_CHANNEL } from "@virtkit/model/domain/channel";
import { isSerialConsole } from "@virtkit/model/domain/console";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { QmpCommands } from "@virtkit/qapi/schema.gen";
import type { Run } from "../domain/run.ts";

/** One thing to ask or tell; its promise fails where QEMU refuses. */
export type Step = (run: Run, def: DomainDef) => Promise<unknown> | undefined;

const readVcpus: Step = async (run) => {
	rememberVcpus(run, await run.monitor.execute("query-cpus-fast"));
};

/**
 * Keeps the threads of the vCPUs.
 *
 * Emulation may run several of them in one thread, or in QEMU's own: then none has a thread that could be pinned or
 * timed for it alone.
 */
export function rememberVcpus(run: Run, cpus: QmpCommands["query-cpus-fast"]["ret"]): void {
	run.vcpuThreads.clear();
	const threads = cpus.map((cpu) => cpu["thread-id"]);
	if (new Set(threads).size < threads.length || threads.includes(run.process?.pid ?? 0)) return;
	for (const cpu of cpus) run.vcpuThreads.set(cpu["cpu-index"], cpu["thread-id"]);
}

/** Keeps the I/O threads, and forgets those that QEMU does not have: one was coming or going when a daemon ended. */
export const readIothreads: Step = async (run, def) => {
	if ((def.iothreads ?? 0) === 0) return;
	run.iothreadThreads.clear();
	for (const { id, "thread-id": thread } of await run.monitor.execute("query-iothreads")) {
		const number = /^iothread(\d+)$/.exec(id)?.[1];
		if (number !== undefined) run.iothreadThreads.set(Number(number), thread);
	}
	if (def.iothreadids.every(({ id }) => run.iothreadThreads.has(id))) return;
	def.iothreadids = def.iothreadids.filter(({ id }) => run.iothreadThreads.has(id));
	def.iothreads = def.iothreadids.length;
	run.live.changed();
};

type Chardevs = ReadonlyMap<string, QmpCommands["query-chardev"]["ret"][number]>;

const readChardevs: Step = (run, def) => {
	const { serials, parallels, channels, consoles } = def.devices;
	const terminals = [...serials, ...parallels, ...channels, ...consoles].filter(({ type }) => type === "pty");
	const watched = channels.some(({ target }) => target.type === "virtio");
	if (terminals.length === 0 && !watched) return undefined;
	return run.monitor.execute("query-chardev").then((all) => {
		const chardevs: Chardevs = new Map(all.map((one) => [one.label, one]));
		settleTerminals(def, chardevs, terminals);
		settleChannels(run, def, chardevs);
		run.live.changed();
	});
};

type Terminal = DomainDef["devices"]["serials" | "parallels" | "channels" | "consoles"][number];

/** Paths of the pseudo-terminals that QEMU made. */
function settleTerminals({ devices }: DomainDef, chardevs: Chardevs, terminals: readonly Terminal[]): void {
	for (const device of terminals) {
		const made = chardevs.get(`char${device.alias}`)?.filename;
		if (made?.startsWith("pty:"))
			device.source = { mode: "connect", seclabels: [], ...device.source, path: made.slice(4) };
	}
	const [console] = devices.consoles;
	const [serial] = devices.serials;
	// The first console may be the first serial port by another name; then its terminal is the port's.
	if (console?.type === "pty" && serial?.type === "pty" && isSerialConsole(console))
		console.source = { mode: "connect", seclabels: [], ...serial.source };
	if (console?.type === "pty" && console.source?.path !== undefined) console.tty = console.source.path;
}

/** Which channels a program of the guest has open. */
function settleChannels(run: Run, { devices }: DomainDef, chardevs: Chardevs): void {
	for (const { alias, target } of devices.channels) {
		if (target.type !== "virtio") continue;
		const open = chardevs.get(`char${alias}`)?.["frontend-open"] ?? false;
		target.state = open ? "connected" : "disconnected";
		if (target.name === GUEST_AGENT_CHANNEL) run.agentOpen = open;
	}
}

/** Where the balloon is among QEMU's objects. */
export const balloonPath = (def: DomainDef): string | undefined => {
	const { memballoon } = def.devices;
	return memballoon && memballoon.model !== "none" && memballoon.alias !== undefined
		? `/machine/peripheral/${memballoon.alias}`
		: undefined;
};

/** What the guest has of its memory now; all of it where there is no balloon to take some. */
const readBalloon: Step = (run, def) => {
	if (balloonPath(def) === undefined) {
		if (def.memory) def.currentMemory = def.memory.size;
		return undefined;
	}
	return run.monitor.execute("query-balloon").then(({ actual }) => {
		def.currentMemory = Math.ceil(actual / 1024);
	});
};

/** All of it. */
export const READ: readonly Step[] = [readVcpus, readIothreads, readChardevs, readBalloon];

/** Learns it anew, of a guest taken over. */
export async function refresh(run: Run): Promise<void> {
	await Promise.all(READ.map((step) => step(run, run.live.def)));
	run.live.changed();
}
