// A definition as the command line that would start it, for domxml-to-native: nothing is created or opened.

import { join } from "node:path";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { HostdevDef } from "@virtkit/model/domain/hostdev";
import { type InterfaceDef, networkInterface } from "@virtkit/model/domain/interface";
import { xmlElement } from "@virtkit/xml/node";
import { readElement } from "@virtkit/xml/read";
import { bootIndexesOf } from "../defaults/boot-index.ts";
import { contextOf } from "../defaults/complete.ts";
import type { DriverHost } from "../driver-host.ts";
import { buildCommandLine } from "./build.ts";
import { CommandLine } from "./command-line.ts";
import { emulatorEnvironment } from "./environment.ts";
import { formatExplanation } from "./explain.ts";
import { checkOverrides, overrideDevice } from "./extra.ts";
import { formatShell } from "./format-shell.ts";
import { shortName } from "./memory-backend.ts";
import { prepareDomain } from "./prepare.ts";

/** Interfaces as a shell can start them: with a script of the user's, since nobody connects them to the host's network. */
function exportInterfaces({ devices }: DomainDef): void {
	// Those that are devices of the host need no network.
	devices.hostdevs.unshift(...devices.interfaces.flatMap((net) => asHostDevice(net) ?? []));
	devices.interfaces = devices.interfaces.map(({ mac, model, script }) =>
		Object.assign(readElement(networkInterface, xmlElement("interface", { type: "ethernet" })), {
			...(mac && { mac }),
			...(model && { model }),
			...(script && { script }),
		}),
	);
}

/** Its own address is that of the interface that takes its place. */
function asHostDevice({ pci, managed, hostDriver, teaming, rom }: InterfaceDef): HostdevDef | undefined {
	if (!pci) return undefined;
	const device = { mode: "subsystem", type: "pci", pci, driver: hostDriver, teaming, rom } as const;
	return { ...device, managed: managed ?? false, ip: [], route: [] };
}

/** The shell text that would start `def`, which must be complete; `def` is prepared in place. Throws VirtError as a start would. */
export function domainToNative(def: DomainDef, host: DriverHost): string {
	return formatShell(nativeCommand(def, host));
}

/** The command line that would start `def`, as JSON with the origin of each option; otherwise as `domainToNative`. */
export function explainDomain(def: DomainDef, host: DriverHost): string {
	return formatExplanation(dryCommand(def, host));
}

/** The command line that would start `def`, which is prepared in place, with everything that a start would open made up. */
export function nativeCommand(def: DomainDef, host: DriverHost): CommandLine {
	exportInterfaces(def);
	return dryCommand(def, host);
}

/** The command line with everything in it that a start would have to open made up. */
function dryCommand(def: DomainDef, host: DriverHost): CommandLine {
	const context = contextOf(def, host, true);
	prepareDomain(context);
	const work = join(host.libDir, `domain-${shortName(def)}`);
	const command = new CommandLine(context.caps.binary);
	command.adaptDevice = (device) => overrideDevice(device, def.qemuOverride);
	Object.assign(command.environment, emulatorEnvironment(work));
	const build = {
		...context,
		command,
		paths: {
			work,
			monitor: join(work, "monitor.sock"),
			channels: join(host.channelDir, `domain-${shortName(def)}`),
			log: "",
		},
		dryRun: true,
		bootIndexes: bootIndexesOf(def),
		descriptors: new Map(),
	};
	buildCommandLine(build);
	checkOverrides(build);
	return command;
}
