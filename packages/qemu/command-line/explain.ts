// Where each option of a command line comes from: the element of the document, by line, or the rule that made it.

import { positionOf } from "@virtkit/xml/read";
import type { CommandLine } from "./command-line.ts";

/** One option and its origin. */
export interface ExplainedOption {
	/** With its dash. */
	readonly name: string;
	/** Absent for options that take none. */
	readonly value?: string;
	/** The kind of element that it renders, or the rule. */
	readonly what: string;
	/** Where the element starts; absent where the document names none, so that a default or rule made the option. */
	readonly line?: number;
	readonly column?: number;
}

/** The options in their order. */
export function explainCommand({ options }: CommandLine): ExplainedOption[] {
	return options.map(({ name, value, origin }) => ({
		name,
		...(value === undefined ? {} : { value }),
		what: origin.what,
		...(origin.element && positionOf(origin.element)),
	}));
}

/** The same as JSON text: `{"binary": …, "options": […]}`. */
export function formatExplanation(command: CommandLine): string {
	return `${JSON.stringify({ binary: command.binary, options: explainCommand(command) }, undefined, 2)}\n`;
}
