// The whole command line of a guest: one table of its parts, in libvirt's order.

import { buildManagedReservations } from "../devices/disk-build.ts";
import { buildThrottleGroups } from "../devices/disk-throttle.ts";
import type { BuildContext } from "../devices/entry.ts";
import { type AnyEntry, BUILT, BUILT_LAST } from "../devices/registry.ts";
import { buildBoot } from "./boot.ts";
import { buildClock } from "./clock.ts";
import type { CommandLine } from "./command-line.ts";
import { buildCpu } from "./cpu.ts";
import { buildNoDefaults } from "./display.ts";
import { buildExtra } from "./extra.ts";
import { buildFlash, buildLoader } from "./firmware.ts";
import {
	buildCompatibility,
	buildGenerationId,
	buildMasterKey,
	buildName,
	buildPausedStart,
	buildUuid,
} from "./identity.ts";
import { buildAccelerator, buildMachine, buildTseg } from "./machine.ts";
import { buildMemory } from "./memory.ts";
import { buildMonitor } from "./monitor.ts";
import { buildNuma } from "./numa.ts";
import { buildPowerManagement } from "./power.ts";
import { buildAsyncTeardown, buildLaunchSecurity, buildSandbox, buildVmCoreInfo } from "./security.ts";
import { buildFirmwareData, buildSmbios } from "./smbios.ts";
import { buildIOThreads, buildSmp } from "./smp.ts";

type Part = (context: BuildContext) => void;

const devices =
	(entries: readonly AnyEntry[]): Part =>
	(context) => {
		for (const entry of entries)
			for (const device of entry.list(context.def))
				context.command.from({ element: device, what: nameOf(entry, device) }, () => entry.build(device, context));
	};

/** `disk virtio-disk0`. */
function nameOf({ kind }: AnyEntry, device: object): string {
	const { alias } = device as { readonly alias?: string };
	return alias === undefined ? kind : `${kind} ${alias}`;
}

/** A part, and why its options stand there where they say nothing of it themselves. */
type Row = readonly [reason: string, part: Part];

/** The parts before the devices. */
const BEFORE: readonly Row[] = [
	["name of the guest", buildName],
	["deprecation policy", buildCompatibility],
	["starts paused, so that the driver can set the guest up first", buildPausedStart],
	["key that protects the guest's secrets", buildMasterKey],
	["helper for persistent reservations", buildManagedReservations],
	["firmware", buildFlash],
	["machine", buildMachine],
	["accelerator", buildAccelerator],
	["memory of system management mode", buildTseg],
	["CPU", buildCpu],
	["firmware", buildLoader],
	["memory", buildMemory],
	["virtual CPUs", buildSmp],
	["I/O threads", buildIOThreads],
	["limits that disks share", buildThrottleGroups],
	["NUMA cells", buildNuma],
	["UUID of the guest", buildUuid],
	["SMBIOS tables", buildSmbios],
	["firmware's files", buildFirmwareData],
	["generation id", buildGenerationId],
	["nothing but what the definition says", buildNoDefaults],
	["the driver's monitor", buildMonitor],
	["clock", buildClock],
	["what happens when the guest stops", buildPowerManagement],
	["boot order", buildBoot],
];

/** The parts after the devices, with the few devices that come last. */
const AFTER: readonly Row[] = [
	["core dumps that kdump can read", buildVmCoreInfo],
	["encrypted memory", buildLaunchSecurity],
	["options that the definition passes through", buildExtra],
	["QEMU may do only what a guest needs (seccomp_sandbox)", buildSandbox],
	["teardown beside the guest's end", buildAsyncTeardown],
];

/** Options that carry a message's time into the log. */
const buildMessages: Row = ["times in QEMU's log", ({ command }) => command.add("-msg", "timestamp=on")];

/** Appends all options of the guest to `context.command`. Creates nothing: what must exist is in the context. */
export function buildCommandLine(context: BuildContext): CommandLine {
	const { command } = context;
	const build = ([what, part]: Row): void => command.from({ what }, () => part(context));
	BEFORE.forEach(build);
	devices(BUILT)(context);
	AFTER.forEach(build);
	devices(BUILT_LAST)(context);
	build(buildMessages);
	return command;
}
