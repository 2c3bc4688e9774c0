// What is kept of snapshots, by itself: made known, listed, renamed with the domain, forgotten.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import test from "node:test";
import type { QemuDomain } from "@virtkit/qemu/domain/domain";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver, tinyGuest } from "@virtkit/testing/qemu-driver";
import { CREATE, DELETE, LIST } from "./flags.ts";

const KNOW = CREATE.redefine;

/** A snapshot that another daemon took, as its description tells. */
function described(own: TestDriver, domain: QemuDomain, name: string, parent?: string, state = "shutoff"): string {
	const above = parent === undefined ? "" : `<parent><name>${parent}</name></parent>`;
	const guest = own.driver.operations.xml?.(domain, 0, own.context) as string;
	return `<domainsnapshot><name>${name}</name><state>${state}</state>${above}<creationTime>1</creationTime>${guest}</domainsnapshot>`;
}

async function family(own: TestDriver): Promise<QemuDomain> {
	const domain = await own.define(tinyGuest("guest"));
	const know = (name: string, parent?: string, flags: number = KNOW, state = "shutoff") =>
		own.run("createSnapshot", domain, flags, described(own, domain, name, parent, state));
	await know("a");
	await know("b", "a", KNOW | CREATE.current);
	await know("c", "b", KNOW, "running");
	await know("d", "a", KNOW, "disk-snapshot");
	return domain;
}

test("snapshots that are made known are listed, found and told of, also by the next daemon", async () => {
	await using own = await TestDriver.start();
	await family(own);
	await own.restart();
	const domain = own.driver.domains.byName("guest") as QemuDomain;
	const names = async (flags: number, from?: string) => (await own.run("snapshots", domain, flags, from)).join("");
	assert.equal(await names(0), "abcd");
	assert.equal(await names(LIST.rootsOrDescendants), "a");
	assert.equal(await names(0, "a"), "bd");
	assert.equal(await names(LIST.rootsOrDescendants, "a"), "bcd");
	assert.equal(await names(LIST.inactive), "ab");
	assert.equal(await names(LIST.active | LIST.diskOnly), "cd");
	assert.equal(await names(LIST.noMetadata), "");
	assert.equal(await names(LIST.leaves | LIST.internal), "cd");
	assert.equal(await names(LIST.external), "");
	assert.equal(await own.run("currentSnapshot", domain), "b");
	assert.equal(await own.run("snapshotIsCurrent", domain, 0, "b"), true);
	assert.equal(await own.run("snapshotParent", domain, 0, "c"), "b");
	await assert.rejects(own.run("snapshotParent", domain, 0, "a"), isVirtError("NO_DOMAIN_SNAPSHOT", "have a parent"));
	await assert.rejects(own.run("findSnapshot", domain, 0, "z"), isVirtError("NO_DOMAIN_SNAPSHOT", "'z'"));
	assert.match(await own.run("snapshotXml", domain, 0, "c"), /<state>running<\/state>[\s\S]*<name>guest<\/name>/);
	assert.ok(own.driver.domains.hasSnapshots(domain));
});

test("what is kept follows the domain's name, and goes with the domain only where that is asked for", async () => {
	await using own = await TestDriver.start();
	const domain = await family(own);
	await own.run("rename", domain, 0, "other");
	assert.ok(existsSync(own.path("lib/qemu/snapshot/other/a.xml")));
	assert.ok(!existsSync(own.path("lib/qemu/snapshot/guest")));
	await assert.rejects(
		own.run("undefine", domain),
		isVirtError("OPERATION_INVALID", "cannot delete inactive domain with 4 snapshots"),
	);
	await own.run("undefine", domain, 2);
	assert.ok(!existsSync(own.path("lib/qemu/snapshot/other")));
	const again = await own.define(tinyGuest("other"));
	assert.deepEqual(await own.run("snapshots", again, 0, undefined), []);
});

test("a snapshot is forgotten alone, with those below it, or they without it", async () => {
	await using own = await TestDriver.start();
	const domain = await family(own);
	const names = async () => (await own.run("snapshots", domain, 0, undefined)).join("");
	await own.run("deleteSnapshot", domain, DELETE.metadataOnly, "b");
	assert.equal(await own.run("currentSnapshot", domain), "a");
	assert.equal(await own.run("snapshotParent", domain, 0, "c"), "a");
	await own.run("deleteSnapshot", domain, DELETE.metadataOnly | DELETE.childrenOnly, "a");
	assert.equal(await names(), "a");
	await own.run("deleteSnapshot", domain, DELETE.metadataOnly | DELETE.children, "a");
	assert.equal(await names(), "");
	assert.equal(await own.run("currentSnapshot", domain), undefined);
});

test("what cannot be made known is refused with libvirt's codes, and changes nothing", async () => {
	await using own = await TestDriver.start();
	const domain = await family(own);
	const refused = (text: string, code: Parameters<typeof isVirtError>[0], words: string, flags: number = KNOW) =>
		assert.rejects(own.run("createSnapshot", domain, flags, text), isVirtError(code, words));
	await refused(described(own, domain, "a", "c"), "INVALID_ARG", "would create cycle to a");
	await refused(described(own, domain, "e", "z"), "INVALID_ARG", "parent z for moment e not found");
	await refused(described(own, domain, "a", undefined, "running"), "INVALID_ARG", "online and offline");
	await refused(described(own, domain, "d"), "INVALID_ARG", "disk only and full system");
	await refused(described(own, domain, "e").replace(/<uuid>.*<\/uuid>/, ""), "INVALID_ARG", "must use uuid");
	await refused(described(own, domain, "e"), "INVALID_ARG", "requires disk-snapshot", KNOW | CREATE.diskOnly);
	await refused(described(own, domain, "x/y"), "XML_DETAIL", "can't contain '/'");
	await refused(described(own, domain, ".e"), "XML_DETAIL", "can't start with '.'");
	await refused("<domainsnapshot/>", "INVALID_ARG", "is required by flag", CREATE.current);
	await refused("<domainsnapshot/>", "INVALID_ARG", "mutually exclusive", KNOW | CREATE.live);
	await refused("<domainsnapshot/>", "OPERATION_UNSUPPORTED", "full system snapshots", CREATE.live);
	assert.equal((await own.run("snapshots", domain, 0, undefined)).length, 4);
});
