// Nothing is declared that no document exercises: each attribute, element and text, and each word that they may hold.

import assert from "node:assert/strict";
import test from "node:test";
import { VirtError } from "@virtkit/base/errors";
import { FieldCoverage } from "@virtkit/testing/field-coverage";
import { fixtureDocuments } from "@virtkit/testing/fixture-documents";
import { formatElement } from "@virtkit/xml/format";
import type { XmlElement } from "@virtkit/xml/node";
import { parseXml } from "@virtkit/xml/parse";
import { readElement } from "@virtkit/xml/read";
import type { Field, Fields, Schema } from "@virtkit/xml/schema";
import { declaredFields, schemaOf } from "@virtkit/xml/walk";
import { devices as devicesSchema } from "./devices.ts";
import { domain } from "./domain.ts";

const SCHEMA = domain as Schema<unknown>;
const DOCUMENTS = fixtureDocuments("xml", "argv");

/** Fields that no document has: made when it is written. */
const UNWRITTEN = new Set(["domain/qemuNamespace"]);

/** Words that mean what absence means: they are read and not written. */
const AS_IF_ABSENT: readonly string[] = [
	"domain/numatune/memory/@placement: static",
	"domain/features/hyperv/stimer/direct/@state: false",
	"domain/features/hyperv/tlbflush/direct/@state: false",
	"domain/features/hyperv/tlbflush/extended/@state: false",
	"domain/cpu/numa/cell/cache/@associativity: none",
	"domain/cpu/numa/cell/cache/@policy: none",
	"domain/devices/disk/transient/@shareBacking: false",
	"domain/devices/controller/model/@name: none",
	"domain/devices/interface/source/@autoAddress: false",
	"domain/devices/serial/target/model/@name: none",
	"domain/devices/graphics/channel/@mode: any",
	"domain/devices/hostdev/source/@autoAddress: false",
];
/** Words of a list that several elements share, which this one refuses. */
const REFUSED: readonly string[] = [
	"domain/devices/disk/driver/@rerror_policy: enospace",
	"domain/devices/serial/@type: spicevmc",
	"domain/devices/parallel/@type: spicevmc",
	"domain/devices/console/@type: spicevmc",
	"domain/devices/graphics/@connected (type='vnc'): fail disconnect",
];

test("every attribute, element and text that is declared is in some fixture", () => {
	const coverage = new FieldCoverage();
	for (const { root } of DOCUMENTS) readElement(domain, root, { strict: true, live: true, onField: coverage.onField });
	const unused = coverage.unused(SCHEMA, "domain").map(({ path }) => path);
	assert.deepEqual(
		unused.filter((path) => !UNWRITTEN.has(path)),
		[],
	);
});

type Value = Record<string, unknown>;

/** A field of a value that some fixture has, and the way to it from the element that is written on its own. */
interface Place {
	readonly fields: Fields;
	readonly key: string;
	readonly owner: Value;
	readonly way: readonly (string | number)[];
}

function* placesIn(written: Schema<unknown>, value: Value, way: readonly (string | number)[] = []): Generator<Place> {
	const schema = written.resolve?.() ?? written;
	const word = schema.variants && String(value[schema.variants.by]);
	for (const fields of [schema.fields, schema.variants?.of[word ?? ""] ?? {}])
		for (const [key, field] of Object.entries(fields)) {
			yield { fields, key, owner: value, way };
			const below = schemaOf(field);
			const inside = value[key];
			if (!below || inside === undefined) continue;
			if (field.kind === "child") yield* placesIn(below, inside as Value, [...way, key]);
			else for (const [index, one] of (inside as Value[]).entries()) yield* placesIn(below, one, [...way, key, index]);
		}
}

/** The words that a field may hold; none where it may hold more than words. */
function wordsOf(field: Field): readonly unknown[] {
	if (field.kind !== "attribute" && field.kind !== "text" && field.kind !== "leaf") return [];
	const { json } = field.codec;
	return json.type === "boolean" ? [true, false] : ((json.enum as readonly unknown[] | undefined) ?? []);
}

/** An element that is written on its own: a child of the domain or a device. */
interface Unit {
	readonly name: string;
	readonly schema: Schema<unknown>;
	readonly value: Value;
	readonly parent: Value;
}

function* unitsOf(fields: Fields, value: Value): Generator<Unit> {
	for (const [key, field] of Object.entries(fields)) {
		const schema = schemaOf(field);
		const inside = value[key];
		// What stands in a namespace that the domain declares cannot stand alone.
		if (!schema || inside === undefined || key === "devices" || field.prefix !== undefined) continue;
		for (const one of field.kind === "child" ? [inside] : (inside as unknown[]))
			yield { name: field.name ?? key, schema, value: one as Value, parent: value };
	}
}

/** Whether the unit, as it now is, is read back with `word` in its place. */
function survives({ name, schema, value, parent }: Unit, { way, key, fields }: Place, word: unknown): boolean {
	const options = { secure: true, status: true, migratable: true } as const;
	try {
		const text = formatElement(name, schema, value, options, 0, true, parent);
		let found = readElement(schema, parseXml(text), { strict: true, live: true, parent }) as Value;
		for (const step of way) found = found[step] as Value;
		const field = fields[key];
		const isDefault = field && "absent" in field && field.absent === word;
		return found[key] === word || (isDefault === true && found[key] === undefined);
	} catch (error) {
		// Not every word goes with what else the fixture has.
		if (error instanceof VirtError || error instanceof TypeError) return false;
		throw error;
	}
}

class Words {
	readonly #left = new Map<Fields, Map<string, Set<unknown>>>();

	constructor() {
		for (const { fields, key, field } of declaredFields(SCHEMA, "domain")) {
			const words = wordsOf(field);
			if (words.length === 0) continue;
			const known = this.#left.get(fields) ?? new Map<string, Set<unknown>>();
			this.#left.set(fields, known.set(key, new Set(words)));
		}
	}

	/** Tries every word that is left for `place`, in `unit`. */
	try(unit: Unit, place: Place): void {
		const left = this.#left.get(place.fields)?.get(place.key);
		if (!left) return;
		const before = place.owner[place.key];
		for (const word of left) {
			place.owner[place.key] = word;
			if (survives(unit, place, word)) left.delete(word);
		}
		if (before === undefined) delete place.owner[place.key];
		else place.owner[place.key] = before;
	}

	/** `path: words` of each field that still has some. */
	left(): string[] {
		return declaredFields(SCHEMA, "domain").flatMap(({ path, fields, key, variant }) => {
			const words = [...(this.#left.get(fields)?.get(key) ?? [])];
			return words.length === 0 ? [] : [`${path}${variant === undefined ? "" : ` (${variant})`}: ${words.join(" ")}`];
		});
	}
}

test("every word that an attribute or text may hold is read and written in some element of the fixtures", () => {
	const words = new Words();
	for (const { root } of DOCUMENTS) {
		const def = readElement(domain, root, { strict: true, live: true }) as unknown as Value;
		const devices = def["devices"] as Value;
		const whole = { name: "domain", schema: SCHEMA, value: def, parent: {} };
		for (const place of placesIn(SCHEMA, def))
			if (place.way.length === 0 || String(place.way[0]).startsWith("qemu")) words.try(whole, place);
		for (const unit of [...unitsOf(domain.fields, def), ...unitsOf(devicesSchema.fields, devices)])
			for (const place of placesIn(unit.schema, unit.value)) words.try(unit, place);
	}
	assert.deepEqual(words.left().sort(), [...AS_IF_ABSENT, ...REFUSED].sort());
});

test("every fixture that was written is read to the same value and written to the same text", () => {
	const options = { secure: true, status: true } as const;
	const read = (root: XmlElement) => readElement(domain, root, { strict: true, live: true });
	for (const { name, root } of DOCUMENTS) {
		const text = formatElement("domain", domain, read(root), options);
		const again = read(parseXml(text));
		assert.equal(formatElement("domain", domain, again, options), text, name);
		assert.deepEqual(read(parseXml(text)), again, name);
	}
});
