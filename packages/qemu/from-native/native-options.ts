// A QEMU command line taken apart: the variables before it, the binary, and each option with its properties.

import { VirtError } from "@virtkit/base/errors";
import type { Json } from "../command-line/command-line.ts";
import { splitWords } from "./words.ts";

/** Properties of an option; the one that stands without a name is `""`. */
export type Props = Readonly<Record<string, Json | undefined>>;

export interface NativeOption {
	/** With one dash. */
	readonly name: string;
	readonly value?: string;
	readonly props: Props;
}

export interface NativeCommand {
	readonly variables: readonly (readonly [name: string, value: string])[];
	readonly binary: string;
	readonly options: readonly NativeOption[];
}

/** Options of QEMU that take no value (QEMU: qemu-options.hx). */
const BARE = new Set(
	"S nodefaults no-user-config no-shutdown no-reboot no-acpi no-hpet no-fd-bootchk nographic enable-kvm full-screen daemonize snapshot usb preconfig only-migratable mem-prealloc".split(
		" ",
	),
);

/** Options whose value is one text, whatever is in it. */
const WHOLE = new Set("append kernel initrd dtb bios uuid k L D d pidfile qmp watchdog-action trace".split(" "));

/** Takes a command line apart. Throws INVALID_ARG naming what cannot be understood. */
export function parseNative(text: string): NativeCommand {
	const words = splitWords(text);
	const variables: [string, string][] = [];
	let at = 0;
	for (let found = assignment(words[at]); found; found = assignment(words[++at])) variables.push(found);
	const binary = words[at++];
	if (binary === undefined) throw new VirtError("INVALID_ARG", "the command line names no emulator");
	const options: NativeOption[] = [];
	while (at < words.length) {
		const word = words[at++] ?? "";
		if (!/^--?[A-Za-z]/.test(word)) {
			// QEMU takes it for the image of a disk.
			options.push({ name: word, props: {} });
			continue;
		}
		const name = word.replace(/^-+/, "");
		if (BARE.has(name)) options.push({ name: `-${name}`, props: {} });
		else {
			const value = words[at++];
			if (value === undefined) throw new VirtError("INVALID_ARG", `option '${word}' of the command line needs a value`);
			options.push({ name: `-${name}`, value, props: WHOLE.has(name) ? { "": value } : parseProps(word, value) });
		}
	}
	return { variables, binary, options };
}

function assignment(word: string | undefined): [string, string] | undefined {
	const found = /^([A-Za-z_][A-Za-z0-9_]*)=([\s\S]*)$/.exec(word ?? "");
	return found ? [found[1] ?? "", found[2] ?? ""] : undefined;
}

/** Whole numbers beyond 2^53 keep all their digits. */
function keepDigits(_: string, value: unknown, context?: { readonly source: string }): unknown {
	return typeof value === "number" && !Number.isSafeInteger(value) && /^\d+$/.test(context?.source ?? "")
		? BigInt(context?.source ?? "")
		: value;
}

/** `key=value,key=value` with doubled commas, or JSON. */
function parseProps(option: string, value: string): Props {
	if (value.startsWith("{")) {
		try {
			return JSON.parse(value, keepDigits) as Props;
		} catch (cause) {
			throw new VirtError("INVALID_ARG", `the value of option '${option}' is no JSON: ${value}`, { cause });
		}
	}
	const props: Record<string, string> = {};
	for (const piece of value.replaceAll(",,", "\0").split(",")) {
		const [, key = "", rest = ""] = /^(?:([^=]*)=)?([\s\S]*)$/.exec(piece) ?? [];
		const text = rest.replaceAll("\0", ",");
		// What is given several times is a list.
		props[key] = props[key] === undefined ? text : `${props[key]},${text}`;
	}
	return props;
}

/** The options of a command line by what they make, so that others can refer to them. */
export class NativeParts {
	readonly options: readonly NativeOption[];
	/** Properties of the options that something in the document stands for. */
	readonly read = new Set<Props>();

	constructor({ options }: NativeCommand) {
		this.options = options;
	}

	all(name: string): readonly Props[] {
		return this.options.filter((option) => option.name === name).map(({ props }) => props);
	}

	/** The last of that name, which is the one that counts. */
	one(name: string): Props | undefined {
		return this.all(name).at(-1);
	}

	/** The value of an option that is one text. */
	text(name: string): string | undefined {
		return textOf(this.one(name)?.[""]);
	}

	has(name: string): boolean {
		return this.options.some((option) => option.name === name);
	}

	/** What such an option made under this id (or node name). */
	made(name: string, id: Json | undefined): Props | undefined {
		if (id === undefined) return undefined;
		const found = this.all(name).find((props) => idOf(props) === id);
		if (found) this.read.add(found);
		return found;
	}
}

/** What others refer to it by. */
export const idOf = (props: Props): Json | undefined => props.id ?? props["node-name"];

/** A property as text; undefined where it is none. */
export function textOf(value: Json | undefined): string | undefined {
	if (typeof value === "string") return value;
	return typeof value === "number" || typeof value === "bigint" || typeof value === "boolean"
		? String(value)
		: undefined;
}

/** Whether a property is switched on, in either spelling. */
export const isOn = (value: Json | undefined): boolean => value === true || value === "on" || value === "yes";
