// Every command, in the groups that `help` shows, with virsh's titles and keywords.

import type { CliContext } from "../context.ts";
import type { CommandGroup } from "../grammar/help.ts";
import type { CliCommand } from "./declare.ts";
import { definitionCommands } from "./definition.ts";
import { displayCommands } from "./display.ts";
import { eventCommands } from "./events.ts";
import { hostCommands } from "./host.ts";
import { hostMemoryCommands } from "./host-memory.ts";
import { lifecycleCommands } from "./lifecycle.ts";
import { monitorCommands } from "./monitor.ts";
import { pinningCommands } from "./pinning.ts";
import { qemuCommands } from "./qemu.ts";
import { saveCommands } from "./save.ts";
import { shellCommands } from "./shell.ts";
import { tuningCommands } from "./tuning.ts";
import { upCommands } from "./up.ts";
import { virtkitCommands } from "./virtkit.ts";

/** Commands that virsh counts as monitoring although they are declared among others here. */
const isMonitoring = ({ name }: CliCommand): boolean =>
	name.startsWith("dom") && monitorCommands.some((one) => one.name === name);

export const GROUPS: readonly CommandGroup<CliContext>[] = [
	{
		title: "Domain Management",
		keyword: "domain",
		commands: [
			...lifecycleCommands,
			...definitionCommands,
			...saveCommands,
			...tuningCommands,
			...pinningCommands,
			...displayCommands,
			...qemuCommands,
			...monitorCommands.filter((one) => !isMonitoring(one) && one.name !== "list"),
		],
	},
	{
		title: "Domain Monitoring",
		keyword: "monitor",
		commands: monitorCommands.filter((one) => isMonitoring(one) || one.name === "list"),
	},
	{ title: "Domain Events", keyword: "events", commands: eventCommands },
	{ title: "Host and Hypervisor", keyword: "host", commands: hostCommands },
	{ title: "virtkit's own", keyword: "virtkit", commands: [...upCommands, ...hostMemoryCommands, ...virtkitCommands] },
	{ title: "The shell itself", keyword: "virsh", commands: shellCommands },
];

const BY_NAME = new Map<string, CliCommand>(
	GROUPS.flatMap(({ commands }) =>
		commands.flatMap((one) => [one.name, ...(one.aliases ?? [])].map((name) => [name, one] as const)),
	),
);

/** The command of that name. */
export function findCommand(name: string): CliCommand | undefined {
	return BY_NAME.get(name);
}
