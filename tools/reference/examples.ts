// Examples of the document's elements, cut from the fixtures, with the QEMU options that the builder made of them.

import { VirtError } from "@virtkit/base/errors";
import { domain } from "@virtkit/model/domain/domain";
import { placeOf } from "@virtkit/qemu/command-line/explain";
import { buildFixture, completeFixture, fixtureGuests } from "@virtkit/testing/fixture-guest";
import type { XmlElement } from "@virtkit/xml/node";
import { parseXml } from "@virtkit/xml/parse";
import { readElement } from "@virtkit/xml/read";
import { writeXml } from "@virtkit/xml/write";
import { compareOptions, type OptionDifference } from "./option-difference.ts";

/** An element of a fixture and what it becomes. */
export interface Example {
	/** The element as XML, ending in a newline. */
	readonly xml: string;
	/** Whether it is cut from a guest that QEMU can run. */
	readonly isGuest: boolean;
	/** Undefined where that guest cannot be without the element. */
	readonly options?: OptionDifference;
}

/** Longer elements are no good examples. */
const LONGEST = 14;
/** How many elements of the same path are tried until one becomes an option. */
const TRIES = 3;

/** One option with the place in the document of the element that the builder says it came from. */
interface BuiltOption {
	readonly text: string;
	readonly origin: string | undefined;
}

const spell = ({ line, column }: { readonly line: number; readonly column: number }): string => `${line}:${column}`;

/** The option; what is random of an encrypted secret is left out. */
function textOf(name: string, value: string | undefined): string {
	return value === undefined ? name : `${name} ${value.replace(/"(data|iv)":"[^"]*"/g, '"$1":"…"')}`;
}

/** The command line of the guest that `root` describes; undefined where it is refused. */
function build(root: XmlElement): BuiltOption[] | undefined {
	try {
		const def = readElement(domain, root);
		const { options } = buildFixture(completeFixture(def));
		return options.map(({ name, value, origin }) => {
			const position = placeOf(origin);
			return { text: textOf(name, value), origin: position && spell(position) };
		});
	} catch (error) {
		if (error instanceof VirtError) return undefined;
		throw error;
	}
}

/** An element of a document: the way to it by child index, and by name. */
interface Place {
	readonly element: XmlElement;
	readonly path: string;
	readonly way: readonly number[];
}

function* placesIn(element: XmlElement, path = element.name, way: readonly number[] = []): Generator<Place> {
	yield { element, path, way };
	for (const [index, node] of element.children.entries())
		if (typeof node !== "string") yield* placesIn(node, `${path}/${node.name}`, [...way, index]);
}

/** `root` without the element that `way` leads to. */
function without(root: XmlElement, [first = 0, ...rest]: readonly number[]): XmlElement {
	const children = [...root.children];
	const next = children[first];
	if (rest.length === 0 || next === undefined || typeof next === "string") children.splice(first, 1);
	else children[first] = without(next, rest);
	return { ...root, children };
}

/** A guest around the devices of a fixture that has nothing else. */
const AROUND = `<domain type='qemu'><name>guest</name><memory>1048576</memory><iothreads>1</iothreads>
<memoryBacking><access mode='shared'/></memoryBacking><os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>
<cpu><numa><cell id='0' cpus='0' memory='1048576'/></numa></cpu></domain>`;

function guestOf(text: string): XmlElement {
	const root = parseXml(text);
	if (root.name === "domain") return root;
	const around = parseXml(AROUND);
	return { ...around, children: [...around.children, root] };
}

/** An element with the guest that has it. */
interface Candidate extends Place {
	readonly root: XmlElement;
	readonly xml: string;
	readonly line: readonly BuiltOption[] | undefined;
}

const isLong = ({ xml }: Candidate): boolean => xml.split("\n").length > LONGEST + 1;

/** Elements of all documents by path: those that are short come first. */
function candidates(documents: readonly string[]): Map<string, Candidate[]> {
	const found = new Map<string, Candidate[]>();
	for (const text of documents) {
		const root = guestOf(text);
		const line = build(root);
		for (const place of placesIn(root)) {
			const known = found.get(place.path) ?? [];
			found.set(place.path, [...known, { ...place, root, line, xml: writeXml(place.element) }]);
		}
	}
	for (const [path, all] of found)
		found.set(path, [...all.filter((one) => !isLong(one)), ...all.filter((one) => isLong(one))]);
	return found;
}

/** What `candidate` becomes: the options that the builder says it made of it, and those that change without it. */
function optionsOf(candidate: Candidate): OptionDifference | undefined {
	const { element, path, line } = candidate;
	if (!line) return undefined;
	const own = line.filter(({ origin }) => origin === spell(element) && element.line > 0).map(({ text }) => text);
	// Without a device, others move to its address; of what is not a device, all that changes is its doing.
	if (own.length > 0 && path.startsWith("domain/devices/")) return { added: own, removed: [] };
	const difference = differenceOf(candidate, line);
	return difference || own.length === 0 ? difference : { added: own, removed: [] };
}

function differenceOf({ root, way }: Candidate, line: readonly BuiltOption[]): OptionDifference | undefined {
	const rest = way.length === 0 ? undefined : build(without(root, way));
	if (!rest) return undefined;
	const text = (options: readonly BuiltOption[]): string[] => options.map((option) => option.text);
	return compareOptions(text(line), text(rest));
}

function exampleOf(all: readonly Candidate[]): Example | undefined {
	let best: Example | undefined;
	for (const candidate of all.slice(0, TRIES)) {
		const options = optionsOf(candidate);
		const example = { xml: candidate.xml, isGuest: candidate.line !== undefined, ...(options && { options }) };
		if (options && options.added.length > 0) return example;
		best ??= example;
		if (options && !best.options) best = example;
	}
	return best;
}

/** An example for every element that some fixture has, by path. */
export function collectExamples(others: readonly string[]): Map<string, Example> {
	const guests = fixtureGuests("domain", "devices", "storage").map(({ text }) => text);
	const examples = new Map<string, Example>();
	for (const documents of [guests, others])
		for (const [path, all] of candidates(documents)) {
			const example = examples.has(path) ? undefined : exampleOf(all);
			if (example) examples.set(path, example);
		}
	return examples;
}
