// What is shown of an element's options.

import assert from "node:assert/strict";
import test from "node:test";
import { compareOptions } from "./option-difference.ts";

test("new options are shown whole, changed ones by what changed", () => {
	const line = ["-S", '-device {"driver":"a","id":"x","serial":"s"}', "-machine pc,usb=off,smm=on", "-no-acpi"];
	const without = ['-device {"driver":"a","id":"x"}', "-machine pc,usb=off", "-no-acpi"];
	assert.deepEqual(compareOptions(line, without), {
		added: ["-S", '-device {…,"serial":"s"}', "-machine …,smm=on"],
		removed: [],
	});
	assert.deepEqual(compareOptions(["-S"], ["-S", "-no-acpi"]), { added: [], removed: ["-no-acpi"] });
});
