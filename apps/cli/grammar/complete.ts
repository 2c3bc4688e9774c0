// What may come next on a command line: names of commands and options, and values by what an option completes to.

import type { Command, Completes, Option } from "./command.ts";
import { takeWords } from "./parse.ts";

/** What the words before name already, that other names depend on. */
export interface NamedBefore {
	readonly domain?: string;
}

/** Finds the names of one kind; absent kinds complete to nothing. */
export type NameSource = (
	kind: Exclude<Completes, readonly string[]>,
	before: NamedBefore,
) => Promise<readonly string[]>;

/**
 * Candidates for the last of `words` (which may be empty), given the words before it.
 *
 * `words[0]` is the command; `find` knows the commands, `names` finds what only the daemon knows.
 */
export async function complete<C>(
	words: readonly string[],
	commands: readonly Command<C>[],
	names: NameSource,
): Promise<readonly string[]> {
	const last = words.at(-1) ?? "";
	const starting = (candidates: readonly string[]): string[] => candidates.filter((one) => one.startsWith(last)).sort();
	if (words.length <= 1) return starting(commands.map(({ name }) => name));
	const command = commands.find(({ name, aliases }) => name === words[0] || aliases?.includes(words[0] ?? ""));
	if (!command) return [];
	const before = words.slice(1, -1);
	if (last.startsWith("--") && !before.includes("--"))
		return starting(Object.keys(command.options).map((name) => `--${name}`)).filter((one) => !before.includes(one));
	const option = optionAt(command, before);
	if (!option?.completes) return [];
	if (typeof option.completes !== "string") return starting(option.completes);
	const domain = domainBefore(command, before);
	return starting(await names(option.completes, domain === undefined ? {} : { domain }));
}

/** The value that the words give the command's option `domain`, by name or by position. */
function domainBefore<C>(command: Command<C>, words: readonly string[]): string | undefined {
	if (!command.options.domain) return undefined;
	try {
		return takeWords(command, words, false).get("domain")?.[0];
	} catch {
		return undefined;
	}
}

/** The option whose value comes after the words `before`. */
function optionAt<C>(command: Command<C>, before: readonly string[]): Option | undefined {
	const previous = before.at(-1);
	const named = previous?.startsWith("--") ? command.options[previous.slice(2)] : undefined;
	if (named && named.kind !== "flag") return named;
	let positions = 0;
	const taken = new Set<string>();
	for (let at = 0; at < before.length; at++) {
		const word = before[at] ?? "";
		if (!word.startsWith("--")) {
			positions++;
			continue;
		}
		const [name = ""] = word.slice(2).split("=");
		taken.add(name);
		const option = command.options[name];
		if (option && option.kind !== "flag" && !word.includes("=")) at++;
	}
	const free = Object.entries(command.options).filter(
		([name, option]) => !taken.has(name) && (option.kind === "rest" || (option.kind === "value" && !option.named)),
	);
	return (free[positions] ?? free.filter(([, { kind }]) => kind === "rest").at(-1))?.[1];
}
