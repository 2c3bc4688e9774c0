// Help texts made from the commands: one command, one group, everything.

import type { Command, Option } from "./command.ts";

/** Commands that belong together, with virsh's title and keyword for them. */
export interface CommandGroup<C> {
	readonly title: string;
	readonly keyword: string;
	readonly commands: readonly Command<C>[];
}

function synopsisWord(name: string, option: Option): string {
	if (option.kind === "flag") return `[--${name}]`;
	if (option.kind === "rest") return option.required ? `{[--${name}] <string>}...` : `[[--${name}] <string>]...`;
	if (option.required) return option.named ? `--${name} <${option.numeric ? "number" : "string"}>` : `<${name}>`;
	return `[--${name} <${option.numeric ? "number" : "string"}>]`;
}

/** `start <domain> [--console] …`. */
export function synopsis<C>(command: Command<C>): string {
	return [command.name, ...Object.entries(command.options).map(([name, option]) => synopsisWord(name, option))].join(
		" ",
	);
}

function optionLine(name: string, option: Option): string {
	const type = option.kind === "flag" ? "" : option.kind === "value" && option.numeric ? " <number>" : " <string>";
	const positional = option.kind === "rest" || (option.kind === "value" && option.required && !option.named);
	return `    ${`${positional ? `[--${name}]` : `--${name}`}${type}`.padEnd(15)}  ${option.help}`;
}

/** The page of one command. */
export function commandHelp<C>(command: Command<C>): string {
	const options = Object.entries(command.options).map(([name, option]) => optionLine(name, option));
	const description = (command.description ?? command.summary).replaceAll("\n", "\n    ");
	return [
		`  NAME\n    ${command.name} - ${command.summary}`,
		`  SYNOPSIS\n    ${synopsis(command)}`,
		`  DESCRIPTION\n    ${description}`,
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
