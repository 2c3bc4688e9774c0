// A guest whose accelerator opens and runs no guests is refused with what was found out.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { EmulatorCapabilities, type EmulatorFacts } from "../capabilities/emulator.ts";
import { checkAccelerator } from "./accelerator.ts";

const facts: EmulatorFacts = {
	binary: "/usr/bin/qemu-system-x86_64",
	arch: "x86_64",
	version: 7002000,
	package: "",
	machines: [],
	types: {},
	machineProperties: {},
	options: {},
	schema: [],
};

test("a guest for KVM does not start where KVM runs no guests, and is told why and what does", () => {
	const hindered = new EmulatorCapabilities({ ...facts, kvmRefusal: "a test guest got stuck" });
	assert.throws(
		() => checkAccelerator("kvm", hindered),
		isVirtError("CONFIG_UNSUPPORTED", "/usr/bin/qemu-system-x86_64", "a test guest got stuck", "'qemu'"),
	);
	checkAccelerator("qemu", hindered);
	checkAccelerator("kvm", new EmulatorCapabilities(facts));
});
