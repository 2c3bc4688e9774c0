// The lines that events are printed as: virsh's, one of each kind.

import assert from "node:assert/strict";
import test from "node:test";
import type { Domain } from "@virtkit/client/sdk/domain";
import { ALL_EVENT_KINDS, type Event, type EventFacts, type EventKind } from "@virtkit/client/sdk/events";
import { eventLine } from "./events.ts";

const end = { family: 0, node: "127.0.0.1", service: "5900" };

/** Facts of each kind, and what virsh prints of them after the domain's name. */
const SAMPLES: { readonly [K in EventKind]: readonly [facts: EventFacts[K], name: string, text: string] } = {
	lifecycle: [{ event: "suspended", detail: "ioerror" }, "lifecycle", ": Suspended I/O Error"],
	reboot: [{}, "reboot", ""],
	"rtc-change": [{ offset: -3600n }, "rtc-change", ": -3600"],
	watchdog: [{ action: 6 }, "watchdog", ": inject-nmi"],
	"io-error-legacy": [{ path: "/d", device: "virtio-disk0", action: 1 }, "io-error", ": /d (virtio-disk0) pause"],
	graphics: [
		{
			phase: 2,
			local: end,
			remote: { ...end, family: 1, node: "::1" },
			authScheme: "vnc",
			subject: [{ type: "x509dname", name: "CN=a" }],
		},
		"graphics",
		": disconnect local[IPv4 127.0.0.1 5900] remote[IPv6 ::1 5900] vnc\n\tx509dname=CN=a",
	],
	"io-error": [
		{ path: "/d", device: "virtio-disk0", action: 2, reason: "enospc" },
		"io-error-reason",
		": /d (virtio-disk0) report due to enospc",
	],
	"control-error": [{}, "control-error", ""],
	"block-job-legacy": [{ path: "/d", type: 2, status: 3 }, "block-job", ": Block Copy for /d ready"],
	"disk-change": [
		{ device: "virtio-disk0", oldPath: "/d", newPath: null, reason: 1 },
		"disk-change",
		" disk virtio-disk0: /d -> <null>: dropped",
	],
	"tray-change": [{ device: "sata0-0-0", reason: 1 }, "tray-change", " disk sata0-0-0: closed"],
	pmwakeup: [{ reason: 0 }, "pm-wakeup", ""],
	pmsuspend: [{ reason: 0 }, "pm-suspend", ""],
	"balloon-change": [{ actual: 65536n }, "balloon-change", ": 65536KiB"],
	"pmsuspend-disk": [{ reason: 0 }, "pm-suspend-disk", ""],
	"device-removed": [{ device: "net0" }, "device-removed", ": net0"],
	"block-job": [{ target: "vda", type: 4, status: 2 }, "block-job-2", ": Active Block Commit for vda canceled"],
	tunable: [{ parameters: { "cputune.cpu_shares": 900n } }, "tunable", ":\n\tcputune.cpu_shares: 900"],
	"agent-lifecycle": [{ state: 1, reason: 2 }, "agent-lifecycle", ": state: 'connected' reason: 'channel event'"],
	"device-added": [{ device: "net0" }, "device-added", ": net0"],
	"migration-iteration": [{ iteration: 2 }, "migration-iteration", ": iteration: '2'"],
	"job-completed": [{ parameters: { operation: 5 } }, "job-completed", ":\n\toperation: 5"],
	"device-removal-failed": [{ device: "net0" }, "device-removal-failed", ": net0"],
	"metadata-change": [{ type: 2, uri: "http://x" }, "metadata-change", ": type element, uri http://x"],
	"block-threshold": [
		{ device: "vda[1]", path: null, threshold: 1024n, excess: 5n },
		"block-threshold",
		": dev: vda[1](<null>) 1024 5",
	],
	"memory-failure": [
		{ recipient: 1, action: 2, flags: 3 },
		"memory-failure",
		":\nrecipient: guest\naction: fatal\nflags:\n\taction required: 1\n\trecursive: 1",
	],
	"memory-device-size-change": [
		{ alias: "virtiomem0", size: 1024n },
		"memory-device-size-change",
		":\nalias: virtiomem0\nsize: 1024",
	],
};

for (const kind of ALL_EVENT_KINDS)
	test(`an event of the kind ${kind} is printed as virsh prints it`, () => {
		const [facts, name, text] = SAMPLES[kind];
		const event = { kind, domain: { name: "g" } as Domain, ...facts } as Event;
		assert.equal(eventLine(event), `event '${name}' for domain 'g'${text}`);
	});
