// Where each option of a command line comes from: the element of the document, by line, or the rule that made it.

import { leafPositionOf, type Position, positionOf } from "@virtkit/xml/read";
import type { CommandLine, Origin } from "./command-line.ts";

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
		...placeOf(origin),
	}));
}

/** Where the element of `origin` starts; undefined for rules and for elements that no document has. */
export function placeOf({ element, leaf }: Origin): Position | undefined {
	if (!element) return undefined;
	return leaf === undefined ? positionOf(element) : leafPositionOf(element, leaf);
}

/** The same as JSON text: `{"binary": …, "options": […]}`. */
export function formatExplanation(command: CommandLine): string {
	return `${JSON.stringify({ binary: command.binary, options: explainCommand(command) }, undefined, 2)}\n`;
}
