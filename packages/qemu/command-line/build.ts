// The whole command line of a guest: one table of its parts, in libvirt's order.

import { buildManagedReservations } from "../devices/disk-build.ts";
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
import { buildLaunchSecurity, buildSandbox, buildVmCoreInfo } from "./security.ts";
import { buildFirmwareData, buildSmbios } from "./smbios.ts";
import { buildIOThreads, buildSmp } from "./smp.ts";

type Part = (context: BuildContext) => void;

const devices =
	(entries: readonly AnyEntry[]): Part =>
	(context) => {
		for (const entry of entries)
			for (const device of entry.list(context.def))
				context.command.from({ element: device, what: entry.kind }, () => entry.build(device, context));
	};

/** The parts before the devices. */
const BEFORE: readonly Part[] = [
	buildName,
	buildCompatibility,
	buildPausedStart,
	buildMasterKey,
	buildManagedReservations,
	buildFlash,
	buildMachine,
	buildAccelerator,
	buildTseg,
	buildCpu,
	buildLoader,
	buildMemory,
	buildSmp,
	buildIOThreads,
	buildNuma,
	buildUuid,
	buildSmbios,
	buildFirmwareData,
	buildGenerationId,
	buildNoDefaults,
	buildMonitor,
	buildClock,
	buildPowerManagement,
	buildBoot,
];

/** The parts after the devices, with the few devices that come last. */
const AFTER: readonly Part[] = [buildVmCoreInfo, buildLaunchSecurity, buildExtra, buildSandbox];

/** Options that carry a message's time into the log. */
const buildMessages: Part = ({ command }) => command.add("-msg", "timestamp=on");

/** Appends all options of the guest to `context.command`. Creates nothing: what must exist is in the context. */
export function buildCommandLine(context: BuildContext): CommandLine {
	for (const part of BEFORE) part(context);
	devices(BUILT)(context);
	for (const part of AFTER) part(context);
	devices(BUILT_LAST)(context);
	buildMessages(context);
	return context.command;
}
