// Character devices as QMP takes them for devices that are plugged into a running guest.

import assert from "node:assert/strict";
import test from "node:test";
import { chardevBackend } from "./chardev-backend.ts";
import type { ChardevParts } from "./chardev-build.ts";

const parts = (given: Partial<ChardevParts>): ChardevParts => ({ type: "pty", endpoints: [], ...given });
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test("a listening socket does not hold the guest unless told", () => {
	const chardev = parts({ type: "unix", source: { mode: "bind", path: "/run/a,b.sock", seclabels: [] } });
	const data = { addr: { type: "unix", data: { path: "/run/a,b.sock" } }, wait: false, server: true };
	assert.deepEqual(asJson(chardevBackend(chardev, "charchannel0")), {
		id: "charchannel0",
		backend: { type: "socket", data },
	});
	assert.deepEqual(asJson(chardevBackend(chardev, "charchannel0", { waits: true })), {
		id: "charchannel0",
		backend: { type: "socket", data: { ...data, wait: true } },
	});
});

test("a connection over TCP is made anew where it is told", () => {
	const chardev = parts({
		type: "tcp",
		source: {
			mode: "connect",
			host: "192.0.2.1",
			service: "99",
			reconnect: { enabled: true, timeout: 5 },
			seclabels: [],
		},
		protocol: { type: "telnet" },
	});
	assert.deepEqual(asJson(chardevBackend(chardev, "charserial0", { tlsCredentials: "tls0" })), {
		id: "charserial0",
		backend: {
			type: "socket",
			data: {
				addr: { type: "inet", data: { host: "192.0.2.1", port: "99" } },
				server: false,
				reconnect: 5,
				telnet: true,
				"tls-creds": "tls0",
			},
		},
	});
});

test("output is written to a log as well", () => {
	const chardev = parts({ log: { file: "/var/log/a", append: true } });
	assert.deepEqual(asJson(chardevBackend(chardev, "charserial0")), {
		id: "charserial0",
		backend: { type: "pty", data: { logfile: "/var/log/a", logappend: true } },
	});
});

test("a kind that QEMU has not is refused", () => {
	assert.throws(() => chardevBackend(parts({ type: "nmdm" }), "charserial0"), { code: "CONFIG_UNSUPPORTED" });
});
