// Definitions: who may have which name, what stays on disk, what starts with the host.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import test from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { TestDriver, tinyGuest, until } from "@virtkit/testing/qemu-driver";

const ONE = "11111111-1111-4111-8111-111111111111";
const TWO = "22222222-2222-4222-8222-222222222222";
const withUuid = (name: string, uuid: string, more = ""): string =>
	tinyGuest(name, { more }).replace("</name>", `</name><uuid>${uuid}</uuid>`);

test("a definition is stored, found by name and UUID, and redefined in place", async () => {
	await using own = await TestDriver.start();
	const guest = await own.define(withUuid("guest", ONE));
	assert.equal(own.driver.domains.byUuid(ONE), guest);
	assert.equal(await own.define(withUuid("guest", ONE, "<title>new</title>")), guest);
	assert.match(readFileSync(own.path("etc/qemu/guest.xml"), "utf8"), /<title>new<\/title>/);
	assert.deepEqual(own.events, ["defined added", "defined updated"]);
});

test("a name or UUID of another domain is refused in libvirt's words, and nothing is written", async () => {
	await using own = await TestDriver.start();
	await own.define(withUuid("guest", ONE));
	await assert.rejects(
		own.define(withUuid("guest", TWO)),
		isVirtError("OPERATION_FAILED", `domain 'guest' already exists with uuid ${ONE}`),
	);
	await assert.rejects(
		own.define(withUuid("other", ONE)),
		isVirtError("OPERATION_FAILED", `domain 'guest' is already defined with uuid ${ONE}`),
	);
	await assert.rejects(own.define(withUuid("a/b", TWO)), isVirtError("XML_ERROR", "cannot contain '/'"));
	assert.deepEqual(
		readdirSync(own.path("etc/qemu")).filter((name) => name.endsWith(".xml")),
		["guest.xml"],
	);
});

test("redefining a running guest changes what starts next, not what runs", async () => {
	await using own = await TestDriver.start();
	const guest = await own.define(withUuid("guest", ONE));
	await own.run("start", guest);
	await own.define(withUuid("guest", ONE, "<title>next</title>"));
	assert.doesNotMatch(await own.run("xml", guest), /next/);
	assert.match(await own.run("xml", guest, 2), /next/);
	await own.run("destroy", guest);
	await own.run("start", guest);
	assert.match(await own.run("xml", guest), /next/);
});

test("a running guest that is undefined runs on, and is forgotten when it stops", async () => {
	await using own = await TestDriver.start();
	const guest = await own.define(withUuid("guest", ONE));
	await own.run("start", guest);
	await own.run("undefine", guest);
	assert.equal(await own.run("isPersistent", guest), false);
	assert.ok(!existsSync(own.path("etc/qemu/guest.xml")));
	await assert.rejects(
		own.run("undefine", guest),
		isVirtError("OPERATION_INVALID", "cannot undefine transient domain"),
	);
	await own.run("destroy", guest);
	assert.equal(own.driver.domains.byName("guest"), undefined);
});

test("firmware variables and managed saves keep a domain from being undefined, unless told what becomes of them", async () => {
	await using own = await TestDriver.start();
	const variables = own.path("variables.fd");
	writeFileSync(variables, "");
	const loader = `<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader><nvram>${variables}</nvram>`;
	const xml = withUuid("guest", ONE, "<features><acpi/></features>").replace(
		"machine='pc'>hvm</type>",
		`machine='pc'>hvm</type>${loader}`,
	);
	const guest = await own.define(xml);
	await assert.rejects(
		own.run("undefine", guest),
		isVirtError("OPERATION_INVALID", "cannot undefine domain with nvram"),
	);
	await assert.rejects(
		own.run("undefine", guest, 12),
		isVirtError("OPERATION_INVALID", "cannot both keep and delete nvram"),
	);
	mkdirSync(own.path("lib/qemu/save"), { recursive: true });
	writeFileSync(own.path("lib/qemu/save/guest.save"), "");
	await assert.rejects(own.run("undefine", guest, 8), isVirtError("OPERATION_INVALID", "managed save image exists"));
	await own.run("undefine", guest, 8 | 1);
	assert.ok(existsSync(variables));
	const again = await own.define(xml);
	await own.run("undefine", again, 4);
	assert.ok(!existsSync(variables));
});

test("a renamed domain keeps its UUID and its place among those that start with the host", async () => {
	await using own = await TestDriver.start();
	const guest = await own.define(withUuid("old", ONE));
	await own.run("setAutostart", guest, 0, true);
	await own.run("rename", guest, 0, "new");
	assert.equal(own.driver.domains.byName("new"), guest);
	assert.equal(own.driver.domains.byName("old"), undefined);
	assert.deepEqual(readdirSync(own.path("etc/qemu/autostart")), ["new.xml"]);
	assert.match(await own.run("xml", guest), /<name>new<\/name>/);
	assert.deepEqual(own.events, ["defined added", "undefined renamed", "defined renamed"]);
	await own.define(withUuid("other", TWO));
	await assert.rejects(
		own.run("rename", guest, 0, "other"),
		isVirtError("OPERATION_INVALID", "domain with name 'other' already exists"),
	);
	await assert.rejects(own.run("rename", guest, 0, "a/b"), isVirtError("XML_ERROR", "cannot contain '/'"));
});

test("a daemon reads its definitions again; a broken file is told, kept, and hides no other", async () => {
	await using own = await TestDriver.start();
	const guest = await own.define(withUuid("guest", ONE));
	await own.run("setAutostartOnce", guest, 0, true);
	writeFileSync(own.path("etc/qemu/broken.xml"), "<domain");
	writeFileSync(own.path("etc/qemu/misnamed.xml"), withUuid("guest", TWO));
	await own.restart();
	const found = own.driver.domains.byUuid(ONE);
	assert.ok(found);
	assert.equal(await own.run("getAutostartOnce", found), true);
	assert.match(await own.run("xml", found), /<name>guest<\/name>/);
	assert.equal([...own.driver.domains.all()].length, 1);
	assert.ok(
		own.logs.some((line) => line.includes("broken.xml")) && own.logs.some((line) => line.includes("misnamed.xml")),
	);
	assert.equal(readFileSync(own.path("etc/qemu/broken.xml"), "utf8"), "<domain");
});

test("what is to start with the host starts once in each of its boots", async () => {
	await using own = await TestDriver.start();
	const guest = await own.define(withUuid("always", ONE));
	await own.run("setAutostart", guest, 0, true);
	const once = await own.define(withUuid("once", TWO));
	await own.run("setAutostartOnce", once, 0, true);
	// The same boot: a guest that is off stays off.
	await own.restart();
	assert.equal(own.driver.domains.byName("always")?.stateName, "shutoff");
	writeFileSync(own.path("run/qemu/autostarted"), "another boot\n");
	await own.restart();
	const running = (name: string) => own.driver.domains.byName(name)?.stateName === "running";
	await until(() => running("always") && running("once"), "the start of both");
	assert.deepEqual(readdirSync(own.path("etc/qemu/autostart")), ["always.xml"]);
});
