// Which socket a URI means.

import assert from "node:assert/strict";
import { test } from "node:test";
import { daemonSocketPath, type SocketSurroundings } from "./socket-path.ts";
import { parseConnectionUri } from "./uri.ts";

const HERE: SocketSurroundings = { runtimeDirectory: "/run/user/1000", isRoot: false, exists: () => false };

function path(uri: string, readOnly = false, here: Partial<SocketSurroundings> = {}): string {
	return daemonSocketPath(parseConnectionUri(uri), readOnly, { ...HERE, ...here });
}

test("the system's daemon listens under /var/run, read-only clients on a socket of their own", () => {
	assert.equal(path("qemu:///system"), "/var/run/libvirt/libvirt-sock");
	assert.equal(path("qemu:///system", true), "/var/run/libvirt/libvirt-sock-ro");
});

test("the user's daemon listens in the user's runtime folder, on one socket", () => {
	assert.equal(path("qemu:///session"), "/run/user/1000/libvirt/libvirt-sock");
	assert.equal(path("qemu:///session", true), "/run/user/1000/libvirt/libvirt-sock");
});

test("the driver's own daemon is taken where it is there, unless the URI says otherwise", () => {
	const exists = (one: string) => one.endsWith("/virtqemud-sock");
	assert.equal(path("qemu:///system", false, { exists }), "/var/run/libvirt/virtqemud-sock");
	assert.equal(path("qemu+unix:///system?mode=legacy", false, { exists }), "/var/run/libvirt/libvirt-sock");
	assert.equal(path("qemu+unix:///system?mode=direct"), "/var/run/libvirt/virtqemud-sock");
	assert.equal(path("qemu+ssh://host/system", false, { exists }), "/var/run/libvirt/libvirt-sock");
});

test("a socket that the URI names is taken as it is", () => {
	assert.equal(path("qemu+unix:///system?socket=/x", true), "/x");
});

test("without a URI root means the system's daemon, anyone else their own", () => {
	assert.equal(path("", false, { isRoot: true }), "/var/run/libvirt/libvirt-sock");
	assert.equal(path(""), "/run/user/1000/libvirt/libvirt-sock");
});
