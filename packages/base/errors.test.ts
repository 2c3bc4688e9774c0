// Errors: libvirt's numbers and wording.

import assert from "node:assert/strict";
import test from "node:test";
import { ERROR_CODES } from "./error-codes.ts";
import { errorCodeOf, formatErrorMessage, toVirtError, VirtError } from "./errors.ts";

test("an error carries libvirt's number, domain and wording", () => {
	const error = new VirtError("NO_DOMAIN", "no domain with matching name 'web'");
	assert.equal(error.number, 42);
	assert.equal(error.domainNumber, 10);
	assert.equal(error.message, "Domain not found: no domain with matching name 'web'");
	assert.equal(error.httpStatus, 404);
});

test("every code has a number of its own, found again by it", () => {
	const numbers = new Set<number>();
	for (const [name, [number]] of Object.entries(ERROR_CODES)) {
		assert.equal(numbers.has(number), false, `number ${number} of ${name} is taken`);
		numbers.add(number);
		assert.equal(errorCodeOf(number), name);
	}
	assert.equal(errorCodeOf(99999), "INTERNAL_ERROR");
});

test("every code that takes a detail says it", () => {
	for (const [name, [, plain]] of Object.entries(ERROR_CODES)) {
		const message = formatErrorMessage(name as keyof typeof ERROR_CODES, "$& detail");
		if (message !== plain) assert.ok(message.includes("$& detail"), `${name}: ${message}`);
	}
});

test("anything thrown becomes an error with its cause", () => {
	const cause = new TypeError("x is undefined");
	const error = toVirtError(cause);
	assert.equal(error.code, "INTERNAL_ERROR");
	assert.equal(error.cause, cause);
	assert.equal(toVirtError(error), error);
});
