// Every command, in the groups that `help` shows, with virsh's titles and keywords.

import type { CliContext } from "../context.ts";
import type { CommandGroup } from "../grammar/help.ts";
import type { CliCommand } from "./declare.ts";
import { MODULES } from "./modules.ts";

interface Group {
	readonly title: string;
	readonly keyword: string;
	/** Commands of it that modules of other groups declare. */
	readonly claims?: string;
}

const GROUPS: readonly Group[] = [
	{ title: "Domain Management", keyword: "domain" },
	{
		title: "Domain Monitoring",
		keyword: "monitor",
		claims:
			"domblkerror domblkinfo domblklist domblkstat domcontrol domif-getlink domifaddr domiflist domifstat dominfo dommemstat domstate domstats domtime list",
	},
	{ title: "Domain Events", keyword: "events" },
	{ title: "Host and Hypervisor", keyword: "host" },
	{ title: "Checkpoint", keyword: "checkpoint" },
	{ title: "Snapshot", keyword: "snapshot" },
	{ title: "Backup", keyword: "backup" },
	{ title: "virtkit's own", keyword: "virtkit" },
	{ title: "The shell itself", keyword: "virsh" },
];

const isNamed = (names: string | undefined, name: string): boolean => names?.split(" ").includes(name) ?? false;

/** Whether there is a command of that name. */
export function hasCommand(name: string): boolean {
	return MODULES.some(({ names }) => isNamed(names, name));
}

/** The command of that name; only the module that declares it is loaded. */
export async function findCommand(name: string): Promise<CliCommand | undefined> {
	const module = MODULES.find(({ names }) => isNamed(names, name));
	return (await module?.load())?.find((one) => one.name === name || one.aliases?.includes(name));
}

/** All commands by group; those of one group alone where its keyword is given. */
export async function loadGroups(keyword?: string): Promise<CommandGroup<CliContext>[]> {
	const loaded = await Promise.all(
		MODULES.map(async ({ group, load }) => (await load()).map((one) => ({ one, group: groupOf(one.name) ?? group }))),
	);
	return GROUPS.filter((group) => keyword === undefined || group.keyword === keyword)
		.map((group) => ({
			...group,
			commands: loaded.flat().flatMap(({ one, group: belongs }) => (belongs === group.keyword ? [one] : [])),
		}))
		.filter(({ commands }) => commands.length > 0);
}

const groupOf = (name: string): string | undefined => GROUPS.find(({ claims }) => isNamed(claims, name))?.keyword;
