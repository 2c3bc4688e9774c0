// The manual page, made from the commands.

import type { Option } from "./command.ts";
import { type CommandGroup, synopsis } from "./help.ts";

/** A text as roff takes it: no line may begin with a dot or a quote, backslashes and dashes are spelled out. */
const roff = (text: string): string =>
	text
		.replaceAll("\\", "\\e")
		.replaceAll("-", "\\-")
		.replace(/^([.'])/gm, "\\&$1");

function optionEntry(name: string, option: Option): string {
	const value =
		option.kind === "flag" ? "" : option.kind === "value" && option.numeric ? " \\fInumber\\fR" : " \\fIstring\\fR";
	return `.TP\n\\fB\\-\\-${roff(name)}\\fR${value}\n${roff(option.help)}\n`;
}

/** The manual page virtkit(1) in roff's man macros. */
export function manualPage<C>(groups: readonly CommandGroup<C>[], version: string): string {
	let page = `.TH VIRTKIT 1 "" "virtkit ${version}" "virtkit"
.SH NAME
virtkit \\- run and control virtual machines
.SH SYNOPSIS
\\fBvirtkit\\fR [\\fIoptions\\fR] [\\fIcommand\\fR [\\fIargument\\fR ...]]
.SH DESCRIPTION
Takes the commands of virsh(1). Without a command it is a shell that reads them.
.SH OPTIONS
`;
	for (const [option, text] of GLOBAL_OPTIONS) page += `.TP\n\\fB${roff(option)}\\fR\n${roff(text)}\n`;
	for (const { title, commands } of groups) {
		page += `.SH ${roff(title.toUpperCase())}\n`;
		for (const command of commands) {
			page += `.SS ${roff(synopsis(command))}\n${roff(command.description ?? command.summary)}\n`;
			for (const [name, option] of Object.entries(command.options)) page += optionEntry(name, option);
		}
	}
	return page;
}

/** The options before the command, with what they do. */
export const GLOBAL_OPTIONS: readonly (readonly [string, string])[] = [
	["-c, --connect=URI", "hypervisor connection URI"],
	["-r, --readonly", "connect readonly"],
	["-q, --quiet", "quiet mode"],
	["-t, --timing", "print timing information"],
	["-o, --output=FORMAT", "how listings are printed: table (the default) or json"],
	["-h, --help", "this help"],
	["-v, --version", "version"],
];
