// The undo stack: order, commit, failures.

import assert from "node:assert/strict";
import test from "node:test";
import { UndoStack } from "./undo-stack.ts";

test("leaving the block undoes every step, last first", async () => {
	const done: string[] = [];
	await assert.rejects(async () => {
		await using undo = new UndoStack();
		undo.defer("one", () => void done.push("one"));
		undo.defer("two", async () => void done.push("two"));
		throw new Error("step three failed");
	}, /step three failed/);
	assert.deepEqual(done, ["two", "one"]);
});

test("after commit nothing is undone", async () => {
	let undone = false;
	{
		await using undo = new UndoStack();
		undo.defer("one", () => {
			undone = true;
		});
		undo.commit();
	}
	assert.equal(undone, false);
});

test("an undo that fails is reported and keeps no other from running", async () => {
	const done: string[] = [];
	const undo = new UndoStack();
	undo.defer("one", () => void done.push("one"));
	undo.defer("two", () => {
		throw new Error("busy");
	});
	await assert.rejects(undo[Symbol.asyncDispose](), {
		name: "AggregateError",
		message: "undoing two failed",
	});
	assert.deepEqual(done, ["one"]);
});
