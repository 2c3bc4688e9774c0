// What an element adds to a command line, told by comparing the line with the one that the definition becomes without it.

/** An option as text, `-name value`. */
type OptionText = string;

/** What is there with the element and not without it, and the reverse. */
export interface OptionDifference {
	readonly added: readonly OptionText[];
	readonly removed: readonly OptionText[];
}

/** Compares two command lines; of options that only changed, the parts that did. */
export function compareOptions(
	withElement: readonly OptionText[],
	withoutElement: readonly OptionText[],
): OptionDifference {
	const added = subtract(withElement, withoutElement);
	const removed = subtract(withoutElement, withElement);
	return {
		added: unique(added.flatMap((option) => changedParts(option, counterpart(option, removed)))),
		removed: unique(removed.flatMap((option) => changedParts(option, counterpart(option, added)))),
	};
}

const unique = (options: readonly OptionText[]): OptionText[] => [...new Set(options)];

function subtract(from: readonly OptionText[], what: readonly OptionText[]): OptionText[] {
	const left = [...what];
	return from.filter((option) => {
		const place = left.indexOf(option);
		if (place >= 0) left.splice(place, 1);
		return place < 0;
	});
}

/** What tells options of one name apart: the id of a device or node, the first word of others. */
function identity(option: OptionText): string {
	const { name, value } = split(option);
	const members = membersOf(value);
	if (!members) return `${name} ${value.split(/[,=]/)[0]}`;
	return `${name} ${members.get("id") ?? members.get("node-name") ?? members.get("driver")}`;
}

const counterpart = (option: OptionText, others: readonly OptionText[]): OptionText | undefined =>
	others.find((other) => identity(other) === identity(option));

function split(option: OptionText): { name: string; value: string } {
	const space = option.indexOf(" ");
	return space < 0 ? { name: option, value: "" } : { name: option.slice(0, space), value: option.slice(space + 1) };
}

/** Members of a JSON value, each as JSON text; undefined for `key=value,…`. */
function membersOf(value: string): Map<string, string> | undefined {
	if (!value.startsWith("{")) return undefined;
	const members = Object.entries(JSON.parse(value) as Readonly<Record<string, unknown>>);
	return new Map(members.map(([key, member]) => [key, JSON.stringify(member)]));
}

/** `option` with an ellipsis for the parts that `before` has too; nothing where no part is new. */
function changedParts(option: OptionText, before: OptionText | undefined): OptionText[] {
	if (before === undefined) return [option];
	const { name, value } = split(option);
	const members = membersOf(value);
	const old = membersOf(split(before).value);
	if (members && old) {
		const fresh = [...members].filter(([key, text]) => old.get(key) !== text).map(([key, text]) => `"${key}":${text}`);
		return fresh.length === 0 ? [] : [`${name} {…,${fresh.join(",")}}`];
	}
	const known = new Set(split(before).value.split(","));
	const parts = value.split(",");
	const fresh = parts.filter((part) => !known.has(part));
	if (fresh.length === parts.length) return [option];
	return fresh.length === 0 ? [] : [`${name} …,${fresh.join(",")}`];
}
