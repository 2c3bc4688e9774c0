// Makes a run's QEMU process: log, monitor socket, command line, spawn; and gives it its place among the host's control groups.

import { closeSync } from "node:fs";
import { type ListeningSocket, listenOnUnixSocket } from "@virtkit/host/listening-socket";
import { setResourceLimit } from "@virtkit/host/native";
import { type BeforeExec, spawnDetached } from "@virtkit/host/spawn";
import type { CommandLine } from "../command-line/command-line.ts";
import { MONITOR } from "../command-line/monitor.ts";
import { logConsole } from "../console/console-log.ts";
import type { DefineContext } from "../devices/entry.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { buildRunCommand } from "./command.ts";
import { admitDevices } from "./device-list.ts";
import { ownProcess } from "./end.ts";
import { logStart, openGuestLog } from "./guest-log.ts";
import { makeMemoryFolders } from "./memory-folders.ts";
import { memlockLimit } from "./memory-lock.ts";

export interface LaunchInputs {
	readonly context: DefineContext;
	readonly masterKey: Uint8Array;
	/** Descriptors opened for devices, by device. */
	readonly descriptors: ReadonlyMap<object, readonly number[]>;
	/** Adds what this start needs beyond the definition, such as `-incoming`. */
	readonly extend?: ((command: CommandLine) => void) | undefined;
}

/** Starts QEMU; its monitor can be connected to at once, long before QEMU comes to serve it. */
export async function launch(driver: Driver, run: Run, inputs: LaunchInputs): Promise<void> {
	const log = openGuestLog(driver, run.paths.log);
	try {
		using socket = listenForMonitor(driver, run);
		const command = buildRunCommand(run, {
			...inputs,
			descriptors: new Map([...inputs.descriptors, [MONITOR, [socket.fd]]]),
		});
		inputs.extend?.(command);
		using _consoleLog = logConsole(driver, run, run.live.def.name, command);
		makeMemoryFolders(driver, run, command);
		logStart(log, run, command);
		await spawn(driver, run, command, log);
		socket.close();
	} finally {
		closeSync(log);
	}
}

function listenForMonitor({ runAs }: Driver, run: Run): ListeningSocket {
	const owner = runAs && { uid: runAs.uid, gid: runAs.gid };
	const socket = listenOnUnixSocket(run.paths.monitor, owner ? { owner } : {});
	run.resources.defer("the monitor's socket", () => socket.remove());
	return socket;
}

async function spawn(driver: Driver, run: Run, command: CommandLine, log: number): Promise<void> {
	const { runAs } = driver;
	const [path = "", ...args] = command.argv;
	const memlock = memlockLimit(driver, run.live.def);
	const beforeExec: BeforeExec = {
		...(runAs && runAs.supplementaryGroups.length > 0 ? { supplementaryGroups: runAs.supplementaryGroups } : {}),
		...(memlock === undefined ? {} : { limits: { memlock } }),
	};
	const child = await spawnDetached({
		path,
		args,
		env: command.environment,
		cwd: run.paths.work,
		stdout: log,
		stderr: log,
		inherit: command.passed.map(({ fd }) => fd),
		...(runAs ? { uid: runAs.uid, gid: runAs.gid } : {}),
		...(Object.keys(beforeExec).length > 0 ? { beforeExec } : {}),
	});
	run.process = child.identity;
	ownProcess(run);
	setLimits(driver, child.identity.pid);
}

function setLimits({ settings: { maxFiles, maxProcesses } }: Driver, pid: number): void {
	for (const [resource, limit] of [
		["nofile", maxFiles],
		["nproc", maxProcesses],
	] as const)
		if (limit !== undefined) setResourceLimit(pid, resource, { soft: BigInt(limit), hard: BigInt(limit) });
}

/** Name of a run's control group, as libvirt names machines. */
export function groupName(run: Run, name: string): string {
	return `qemu-${run.id}-${name}`;
}

/** Makes the run's control group, unless it is there. */
export function makeGroup(driver: Driver, run: Run, name: string): void {
	if (!driver.cgroups.usable || run.cgroups !== undefined) return;
	const groups = driver.cgroups.create(groupName(run, name));
	run.cgroups = groups;
	run.resources.defer("the control group", () => groups.guest.remove());
	// Before anything of the guest is in it: helpers, then QEMU.
	admitDevices(driver, run, run.live.def);
}

/**
 * Moves the run's process into a control group of its own.
 *
 * Done while QEMU boots: with v1 the kernel may take 15 ms for it. Nothing of the guest runs before.
 */
export async function enterGroup(driver: Driver, run: Run, name: string): Promise<void> {
	if (run.process === undefined) return;
	makeGroup(driver, run, name);
	await run.cgroups?.guest.addProcess(run.process.pid);
}
