// Every row of the programs: its number, its codecs, its access rules.

import assert from "node:assert/strict";
import { test } from "node:test";
import { arbitraryOf } from "@virtkit/testing/codec-arbitrary";
import { type Codec, decodeValue, encodeValue } from "@virtkit/xdr/codec";
import { XdrError } from "@virtkit/xdr/error";
import fc from "fast-check";
import { FLAGS, PERMISSIONS, requiredPermissions } from "./access.ts";
import { apiName } from "./api-name.ts";
import { LIMITS } from "./limits.ts";
import { allProcedures, programByNumber, programIndex } from "./lookup.ts";
import type { Procedure } from "./procedure.ts";
import { PROGRAMS, remoteProcedures } from "./programs.ts";

/** Values tried for each codec: there are about a thousand codecs. */
const RUNS = 25;

function codecsOf(procedure: Procedure): Codec<unknown>[] {
	return procedure.kind === "event" ? [procedure.message] : [procedure.args, procedure.ret];
}

test("the remote program has every number from 1 to 456 once", () => {
	const rows = programIndex("remote").byNumber;
	assert.deepEqual(
		Array.from(rows, (row) => row?.procedure.number),
		[undefined, ...Array.from({ length: 456 }, (_, index) => index + 1)],
	);
	assert.equal(Object.keys(remoteProcedures).length, 456);
});

test("every program is found by its number, and no other is", () => {
	for (const { number } of Object.values(PROGRAMS)) assert.equal(programByNumber(number)?.number, number);
	assert.equal(programByNumber(0x2000_8088), undefined);
});

test("arguments, results and messages of every procedure survive the way", () => {
	for (const { name, procedure } of allProcedures()) {
		for (const codec of codecsOf(procedure)) {
			fc.assert(
				fc.property(arbitraryOf(codec), (value) => {
					assert.deepEqual(decodeValue(codec, encodeValue(codec, value)), value, name);
				}),
				{ numRuns: RUNS },
			);
		}
	}
});

test("truncated arguments, results and messages are refused for every procedure", () => {
	for (const { name, procedure } of allProcedures()) {
		for (const codec of codecsOf(procedure)) {
			const [value] = fc.sample(arbitraryOf(codec), { numRuns: 1, seed: 7 });
			const bytes = encodeValue(codec, value);
			for (let length = 0; length < bytes.length; length += 4) {
				assert.throws(() => decodeValue(codec, bytes.subarray(0, length)), XdrError, name);
			}
			assert.throws(() => decodeValue(codec, Buffer.concat([bytes, Buffer.alloc(4)])), XdrError, name);
		}
	}
});

test("random bytes fail in no other way than as malformed, for every procedure", () => {
	const bytes = fc.sample(fc.uint8Array({ minLength: 1, maxLength: 200 }), { numRuns: 20, seed: 11 });
	for (const { name, procedure } of allProcedures()) {
		for (const codec of codecsOf(procedure)) {
			for (const one of bytes) {
				try {
					decodeValue(codec, Buffer.from(one));
				} catch (error) {
					assert.ok(error instanceof XdrError, `${name}: ${String(error)}`);
				}
			}
		}
	}
});

test("lists at the limit pass, and one more is refused", () => {
	const { ret } = remoteProcedures.CONNECT_LIST_DEFINED_DOMAINS;
	const names = Array.from({ length: LIMITS.DOMAIN_LIST_MAX }, () => "");
	assert.equal(decodeValue(ret, encodeValue(ret, { names })).names.length, LIMITS.DOMAIN_LIST_MAX);
	assert.throws(() => encodeValue(ret, { names: [...names, ""] }), XdrError);
});

test("text at the limit passes, and one byte more is refused", () => {
	const { args } = remoteProcedures.DOMAIN_LOOKUP_BY_NAME;
	const name = "x".repeat(LIMITS.STRING_MAX);
	assert.equal(decodeValue(args, encodeValue(args, { name })).name.length, LIMITS.STRING_MAX);
	assert.throws(() => encodeValue(args, { name: `${name}x` }), XdrError);
});

/** Names whose spelling follows no simple rule, from libvirt's list of exported symbols. */
const API_NAMES = {
	DOMAIN_GET_XML_DESC: "virDomainGetXMLDesc",
	DOMAIN_LOOKUP_BY_UUID: "virDomainLookupByUUID",
	DOMAIN_LOOKUP_BY_ID: "virDomainLookupByID",
	CONNECT_GET_URI: "virConnectGetURI",
	DOMAIN_GET_OS_TYPE: "virDomainGetOSType",
	DOMAIN_FSFREEZE: "virDomainFSFreeze",
	DOMAIN_PM_WAKEUP: "virDomainPMWakeup",
	DOMAIN_ADD_IOTHREAD: "virDomainAddIOThread",
	NWFILTER_BINDING_LOOKUP_BY_PORT_DEV: "virNWFilterBindingLookupByPortDev",
	NODE_DEVICE_LOOKUP_SCSI_HOST_BY_WWN: "virNodeDeviceLookupSCSIHostByWWN",
	DOMAIN_AUTHORIZED_SSH_KEYS_GET: "virDomainAuthorizedSSHKeysGet",
	DOMAIN_CREATE_XML_WITH_FILES: "virDomainCreateXMLWithFiles",
} as const satisfies Partial<Record<keyof typeof remoteProcedures, string>>;

test("procedures are called what libvirt's C API calls them", () => {
	for (const [procedure, name] of Object.entries(API_NAMES)) assert.equal(apiName("remote", procedure), name);
	assert.equal(apiName("qemu", "DOMAIN_MONITOR_COMMAND"), "virDomainQemuMonitorCommand");
	assert.equal(apiName("qemu", "CONNECT_DOMAIN_MONITOR_EVENT_REGISTER"), "virConnectDomainQemuMonitorEventRegister");
	assert.equal(apiName("lxc", "DOMAIN_OPEN_NAMESPACE"), "virDomainLxcOpenNamespace");
});

test("every access rule names a permission that exists", () => {
	const known = new Set(
		Object.entries(PERMISSIONS).flatMap(([object, names]) => names.map((name) => `${object}:${name}`)),
	);
	for (const { name, procedure } of allProcedures()) {
		if (procedure.kind === "event") continue;
		const permissions = procedure.acl.map((rule) => (typeof rule === "string" ? rule : rule.permission));
		for (const permission of permissions) assert.ok(known.has(permission), `${name}: ${permission}`);
		if (procedure.filter !== undefined) assert.ok(known.has(procedure.filter), name);
	}
});

test("a rule that depends on flags applies when they are as it says", () => {
	const { acl } = remoteProcedures.DOMAIN_SET_VCPUS_FLAGS;
	const needed = (flags: number) => requiredPermissions(acl, { flags });
	assert.deepEqual(needed(FLAGS.DOMAIN_AFFECT_LIVE), ["domain:write"]);
	assert.deepEqual(needed(FLAGS.DOMAIN_AFFECT_CONFIG), ["domain:write", "domain:save"]);
	assert.deepEqual(needed(0), ["domain:write", "domain:save"]);
});

test("a rule that depends on another argument applies when that has its value", () => {
	const { acl } = remoteProcedures.DOMAIN_INTERFACE_ADDRESSES;
	assert.deepEqual(requiredPermissions(acl, { source: 0, flags: 0 }), ["domain:read"]);
	assert.deepEqual(requiredPermissions(acl, { source: 1, flags: 0 }), ["domain:read", "domain:write"]);
});
