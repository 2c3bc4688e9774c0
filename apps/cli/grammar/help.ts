// Help texts made from the commands: one command, one group, everything.

import type { Command, Option } from "./command.ts";

/** Commands that belong together, with virsh's title and keyword for them. */
export interface CommandGroup<C> {
	readonly title: string;
	readonly keyword: string;
	readonly commands: readonly Command<C>[];
}

/** What stands for an option's value. */
const valueWord = (option: Option): string =>
	option.kind === "value" && (option.numeric || option.scaled === true) ? "<number>" : "<string>";

/** Whether words go to options by position, as far as the options before `index` tell: what decides how the last are shown. */
const takesPositions = (options: readonly Option[], index: number): boolean =>
	options.slice(0, index).some((option) => option.kind === "value" && !option.named);

function synopsisWord(name: string, option: Option, positional: boolean): string {
	if (option.kind === "flag") return `[--${name}]`;
	if (option.kind === "value") return option.required ? `<${name}>` : `[--${name} ${valueWord(option)}]`;
	if (positional) return option.required ? `{[--${name}] <string>}...` : `[[--${name}] <string>]...`;
	return option.required ? `<${name}>...` : `[<${name}>]...`;
}

/** `start <domain> [--console] …`. */
export function synopsis<C>(command: Command<C>): string {
	const all = Object.values(command.options);
	const words = Object.entries(command.options).map(([name, option], index) =>
		synopsisWord(name, option, takesPositions(all, index)),
	);
	return [command.name, ...words].join(" ");
}

function optionWord(name: string, option: Option, positional: boolean): string {
	if (option.kind === "flag") return `--${name}`;
	if (option.kind === "value") return `${option.required ? `[--${name}]` : `--${name}`} ${valueWord(option)}`;
	return positional ? `[--${name}] <string>` : `<${name}>`;
}

/** The page of one command. */
export function commandHelp<C>(command: Command<C>): string {
	const all = Object.values(command.options);
	const options = Object.entries(command.options).map(
		([name, option], index) => `    ${optionWord(name, option, takesPositions(all, index)).padEnd(15)}  ${option.help}`,
	);
	return [
		`  NAME\n    ${command.name} - ${command.summary}`,
		`  SYNOPSIS\n    ${synopsis(command)}`,
		...(command.description ? [`  DESCRIPTION\n    ${command.description.replaceAll("\n", "\n    ")}`] : []),
		...(options.length > 0 ? [`  OPTIONS\n${options.join("\n")}`] : []),
	].join("\n\n");
}

/** The list of one group's commands. */
export function groupHelp<C>(group: CommandGroup<C>): string {
	const sorted = [...group.commands].sort((a, b) => (a.name < b.name ? -1 : 1));
	return ` ${group.title} (help keyword '${group.keyword}'):\n${sorted.map((one) => `    ${one.name.padEnd(30)} ${one.summary}\n`).join("")}`;
}

/** All commands by group. */
export function overview<C>(groups: readonly CommandGroup<C>[]): string {
	return `Grouped commands:\n\n${groups.map(groupHelp).join("\n")}`;
}
