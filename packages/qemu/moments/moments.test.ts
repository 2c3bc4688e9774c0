// Trees of moments and their files.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import type { MomentDef } from "@virtkit/model/snapshot/moment";
import { isVirtError } from "@virtkit/testing/expect-error";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import { type ListFlags, listMoments } from "./list.ts";
import { type MomentKind, Moments } from "./moments.ts";

const KIND: MomentKind<MomentDef> = {
	noun: "moment",
	folder: () => "",
	format: (moment, current) => JSON.stringify({ moment, current }),
	parse: (text) => JSON.parse(text),
};
const said: string[] = [];
const note = (message: string) => void said.push(message);
const log = { debug: note, info: note, warn: note, error: note };
const load = (folder: string) => new Moments(KIND, () => folder, log);
const moment = (name: string, parent?: string): MomentDef => ({
	name,
	...(parent ? { parent: { name: parent } } : {}),
});

/** a ← b ← c, a ← d, e */
async function family(folder: string): Promise<Moments<MomentDef>> {
	const moments = load(folder);
	for (const [name, parent] of [["a"], ["b", "a"], ["c", "b"], ["d", "a"], ["e"]] as [string, string?][])
		await moments.saveAsCurrent(moment(name, parent));
	return moments;
}

test("listings take roots, children, descendants, leaves and the others", async () => {
	using folder = temporaryFolder("virtkit-moments-");
	const moments = await family(join(folder.path, "guest"));
	const none: ListFlags = { rootsOrDescendants: false, leaves: false, noLeaves: false };
	const names = (from: string | undefined, flags: Partial<ListFlags>) =>
		listMoments(moments, from === undefined ? undefined : moments.byName(from), { ...none, ...flags })
			.map(({ name }) => name)
			.join("");
	assert.equal(names(undefined, {}), "abcde");
	assert.equal(names(undefined, { rootsOrDescendants: true }), "ae");
	assert.equal(names("a", {}), "bd");
	assert.equal(names("a", { rootsOrDescendants: true }), "bcd");
	assert.equal(names(undefined, { leaves: true }), "cde");
	assert.equal(names(undefined, { noLeaves: true }), "ab");
	assert.equal(names(undefined, { leaves: true, noLeaves: true }), "");
});

test("what is stored is found again, with the current one and without what is broken", async () => {
	using folder = temporaryFolder("virtkit-moments-");
	const place = join(folder.path, "guest");
	await family(place);
	writeFileSync(join(place, "broken.xml"), "no");
	writeFileSync(join(place, "x.xml"), KIND.format(moment("x", "y"), 0));
	writeFileSync(join(place, "y.xml"), KIND.format(moment("y", "x"), 0));
	// A daemon killed between the two files of a change.
	writeFileSync(join(place, "d.xml"), KIND.format(moment("d", "a"), 77));
	const moments = load(place);
	assert.equal(moments.size, 7);
	assert.equal(moments.current?.name, "d");
	assert.match(said.join(), /broken/);
	assert.equal(moments.descendantsOf(undefined).length, 7);
	await moments.saveAsCurrent(moments.byName("b") as MomentDef);
	assert.equal(load(place).current?.name, "b");
	assert.equal(load(join(folder.path, "none")).size, 0);
});

test("one that is forgotten leaves its children to its parent", async () => {
	using folder = temporaryFolder("virtkit-moments-");
	const moments = await family(folder.path);
	const b = moments.byName("b") as MomentDef;
	await moments.saveAsCurrent(b);
	await moments.forget(b);
	for (const each of [moments, load(folder.path)]) {
		assert.equal(each.current?.name, "a");
		assert.equal(each.byName("c")?.parent?.name, "a");
	}
	await moments.forget(moments.byName("a") as MomentDef);
	assert.equal(moments.current, undefined);
	assert.equal(load(folder.path).byName("c")?.parent, undefined);
	moments.forgetAll();
	assert.deepEqual([moments.size, load(folder.path).size], [0, 0]);
});

test("a place in the tree that cannot be is refused", async () => {
	using folder = temporaryFolder("virtkit-moments-");
	const moments = await family(folder.path);
	const refused = (name: string, parent: string, words: string) =>
		assert.throws(() => moments.checkPlace(moment(name, parent)), isVirtError("INVALID_ARG", words));
	refused("a", "a", "as its own parent");
	refused("f", "z", "parent z for moment f not found");
	refused("a", "c", "would create cycle to a");
	moments.checkPlace(moment("f", "c"));
});

test("a moment that cannot be written is not there", async () => {
	using folder = temporaryFolder("virtkit-moments-");
	writeFileSync(join(folder.path, "file"), "");
	mkdirSync(join(folder.path, "guest", "a.xml"), { recursive: true });
	const moments = load(join(folder.path, "guest"));
	await assert.rejects(moments.saveAsCurrent(moment("a")), isVirtError("INTERNAL_ERROR", "unable to save metadata"));
	assert.deepEqual([moments.size, moments.current], [0, undefined]);
	assert.deepEqual(readdirSync(join(folder.path, "guest")), ["a.xml"]);
});
