// The table of errors beside libvirt's own binding: every code and every subsystem under libvirt's number.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { ERROR_CODES, ERROR_DOMAINS } from "@virtkit/base/error-codes";

/** Constants of the binding that begin with a prefix, by the rest of their names. */
function constants(prefix: string): Readonly<Record<string, number>> {
	const program = `import json, libvirt
print(json.dumps({k[${prefix.length}:]: v for k, v in vars(libvirt).items() if k.startswith("${prefix}") and isinstance(v, int)}))`;
	return JSON.parse(execFileSync("/usr/bin/python3", ["-c", program], { encoding: "utf8" })) as Record<string, number>;
}

test("every error code of libvirt's is in the table, under its number", () => {
	// No codes, but levels; newer ones are beyond the binding of this host.
	const { OK, NONE, WARNING, ERROR, ...codes } = constants("VIR_ERR_");
	assert.deepEqual([OK, NONE, WARNING, ERROR], [0, 0, 1, 2]);
	assert.ok(Object.keys(codes).length > 100);
	const ours = Object.fromEntries(Object.entries(ERROR_CODES).map(([name, [number]]) => [name, number]));
	assert.deepEqual(
		Object.entries(codes).filter(([name, number]) => ours[name] !== number),
		[],
	);
});

test("every subsystem that libvirt's errors name is in the table, under its number", () => {
	const ours: Readonly<Record<string, number>> = ERROR_DOMAINS;
	assert.deepEqual(
		Object.entries(constants("VIR_FROM_")).filter(([name, number]) => ours[name] !== number),
		[],
	);
});
