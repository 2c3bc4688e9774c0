// Connection URIs, taken apart and refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isVirtError } from "@virtkit/testing/expect-error";
import { type ConnectionUri, parseConnectionUri } from "./uri.ts";

/** A URI and the parts of it that matter. */
const URIS: readonly (readonly [uri: string, parts: Partial<ConnectionUri>])[] = [
	[
		"qemu:///system",
		{ driver: "qemu", transport: "unix", path: "/system", host: undefined, remoteName: "qemu:///system" },
	],
	["qemu:///session", { path: "/session", remoteName: "qemu:///session" }],
	["test:///default", { driver: "test", path: "/default", remoteName: "test:///default" }],
	[
		"qemu+unix:///system?socket=/run/x/sock",
		{ transport: "unix", socket: "/run/x/sock", remoteName: "qemu:///system" },
	],
	["qemu+unix:///system?socket=%2Ftmp%2Fa%20b", { socket: "/tmp/a b" }],
	["qemu+unix:///system?socket=/a+b", { socket: "/a+b" }],
	["qemu+tcp://host/system", { transport: "tcp", host: "host", port: undefined, remoteName: "qemu:///system" }],
	["qemu+tcp://host:16510/system", { host: "host", port: 16510 }],
	["qemu+tcp://[::1]:16510/system", { host: "::1", port: 16510 }],
	["qemu+TCP://host/system", { transport: "tcp" }],
	["qemu://host/system", { transport: "tls", host: "host" }],
	["qemu+tls://host/system", { transport: "tls" }],
	["qemu+ssh://user@host/system", { transport: "ssh", user: "user", host: "host" }],
	["qemu+ssh://user%40realm@host:2222/system", { user: "user@realm", port: 2222 }],
	["qemu+ssh://host/session?mode=legacy&proxy=netcat", { mode: "legacy", proxy: "netcat" }],
	["qemu+ssh://host/system?netcat=/bin/nc;keyfile=/k", { netcat: "/bin/nc", keyfile: "/k" }],
	["qemu+ssh://host/system?no_verify=1&no_tty=1", { verify: false, tty: false }],
	["qemu+ssh://host/system?no_verify=0", { verify: true, tty: true }],
	["qemu+ext:///system?command=/bin/tunnel", { transport: "ext", command: "/bin/tunnel" }],
	["qemu+unix:///system?name=qemu:///session", { remoteName: "qemu:///session" }],
	["qemu+unix:///system?SOCKET=/s", { socket: "/s" }],
	["vpx+tcp://host/dc/cluster?no_verify=1&x=a b", { remoteName: "vpx:///dc/cluster?x=a%20b" }],
	["qemu+tcp://host", { path: "/", remoteName: "qemu:///" }],
	["", { driver: "", transport: "unix", remoteName: "" }],
];

for (const [uri, parts] of URIS) {
	test(`'${uri}' means what it means to libvirt`, () => {
		const parsed = parseConnectionUri(uri);
		for (const [name, value] of Object.entries(parts)) {
			assert.equal(parsed[name as keyof ConnectionUri], value, name);
		}
	});
}

/** What is no connection URI, and what is said about it. */
const WRONG: readonly (readonly [uri: string, says: string])[] = [
	["qemu", "qemu:///system"],
	["/run/libvirt/libvirt-sock", "not a connection URI"],
	["qemu+carrier-pigeon://host/system", "carrier-pigeon"],
	["qemu+unix://host/system", "using unix socket and remote server 'host' is not supported."],
	["qemu+ext:///system", "command"],
	["qemu+tcp://host:99999/system", "99999"],
	["qemu+tcp://host:port/system", "host:port"],
	["qemu+ssh://host/system?no_verify=yes", "no_verify"],
	["qemu+ssh://host/system?proxy=native&netcat=nc", "netcat"],
	["qemu+ssh://host/system?proxy=other", "other"],
	["qemu+ssh://host/system?mode=other", "other"],
	["qemu+unix:///system?socket=%zz", "%zz"],
];

for (const [uri, says] of WRONG) {
	test(`'${uri}' is refused by a message that says '${says}'`, () => {
		assert.throws(() => parseConnectionUri(uri), isVirtError("INVALID_ARG", says));
	});
}

test("a driver's own daemon cannot be reached directly over the network", () => {
	assert.throws(() => parseConnectionUri("qemu+ssh://host/system?mode=direct"), isVirtError("OPERATION_UNSUPPORTED"));
});
