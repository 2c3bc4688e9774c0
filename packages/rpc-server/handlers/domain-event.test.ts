// Every declared domain event reaches those who registered for it, in the old way and the new, or is listed with the reason.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type DomainEvent, DomainEventBus, type DomainEventKind, type DomainEventPayloads } from "@virtkit/core/events";
import type { Hypervisor } from "@virtkit/core/hypervisor";
import { allProcedures } from "@virtkit/protocol/lookup";
import type { EventProcedure } from "@virtkit/protocol/procedure";
import { isVirtError } from "@virtkit/testing/expect-error";
import { encodeValue } from "@virtkit/xdr/codec";
import type { Client, ClientContext } from "../handler.ts";
import { domainEventHandlers } from "./domain-event.ts";

const domain = { name: "vm", uuid: "6695eb01-f6a4-8304-79aa-97f2502e193f", id: 1 };
const address = { family: 0, node: "127.0.0.1", service: "5900" };

/** One event of each kind; the type asks for all. */
const SAMPLES: { readonly [K in DomainEventKind]: DomainEventPayloads[K] } = {
	lifecycle: { event: "started", detail: "booted" },
	reboot: {},
	"rtc-change": { offset: -3600n },
	watchdog: { action: 2 },
	"io-error": { path: "/a", device: "virtio-disk0", action: 1, reason: "enospc" },
	graphics: { phase: 0, local: address, remote: address, authScheme: "vnc", subject: [{ type: "x509", name: "me" }] },
	"control-error": {},
	"block-job": { path: "/a", target: "vda", type: 1, status: 0 },
	"disk-change": { oldPath: "/a", newPath: undefined, device: "sata0-0-0", reason: 0 },
	"tray-change": { device: "sata0-0-0", reason: 0 },
	pmwakeup: { reason: 0 },
	pmsuspend: { reason: 0 },
	"pmsuspend-disk": { reason: 0 },
	"balloon-change": { actual: 65536n },
	"device-removed": { device: "net0" },
	"device-added": { device: "net0" },
	"device-removal-failed": { device: "net0" },
	tunable: { params: [{ field: "cputune.cpu_shares", value: { type: 4, value: 512n } }] },
	"agent-lifecycle": { state: 1, reason: 2 },
	"migration-iteration": { iteration: 2 },
	"job-completed": { params: [{ field: "operation", value: { type: 1, value: 3 } }] },
	"metadata-change": { type: 2, uri: "http://example.org/" },
	"block-threshold": { device: "vda[1]", path: undefined, threshold: 100n, excess: 1n },
	"memory-failure": { recipient: 0, action: 0, flags: 0 },
	"memory-device-size-change": { alias: "ua-mem", size: 1024n },
	"qemu-monitor": { event: "RESUME", seconds: 1n, micros: 2, details: undefined },
};

/** virDomainEventID of libvirt 9.0: 0 to 26. */
const EVENT_IDS = Array.from({ length: 27 }, (_, id) => id);
/** The old way of registering ends with VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED; those after it have a callback's number always. */
const LAST_PLAIN_ID = 15;

/** Messages that nothing sends yet. */
const UNSENT: Readonly<Record<string, string>> = {
	DOMAIN_EVENT_NIC_MAC_CHANGE: "came after libvirt 9.0, whose clients do not know it",
	DOMAIN_EVENT_VCPU_REMOVED: "came after libvirt 9.0, whose clients do not know it",
	DOMAIN_EVENT_CALLBACK_CHANNEL_LIFECYCLE: "came after libvirt 9.0, whose clients do not know it",
};

const rows = new Map(
	allProcedures()
		.filter(
			({ program, name, procedure }) => program === "remote" && procedure.kind === "event" && /^DOMAIN_/.test(name),
		)
		.map(({ name, procedure }) => [name, procedure as EventProcedure]),
);

interface Sent {
	readonly name: string;
	readonly message: unknown;
}

/** A client that keeps what is sent to it, and the handlers for it. */
function listener() {
	const sent: Sent[] = [];
	const events = new DomainEventBus((error) => {
		throw error;
	});
	const client = {
		state: new Map(),
		onClose: () => undefined,
		sendEvent: (name: string, message: unknown) => sent.push({ name, message }),
	} as unknown as Client;
	const hypervisor = { events, domains: { byUuid: () => domain } } as unknown as Hypervisor;
	return { sent, events, context: { client } as ClientContext, handlers: domainEventHandlers(hypervisor) };
}

function emitAll(events: DomainEventBus): void {
	for (const [kind, payload] of Object.entries(SAMPLES)) events.emit({ kind, domain, ...payload } as DomainEvent);
}

test("every declared domain event is sent to who registered for it, or stands here with a reason", () => {
	const numbered = listener();
	for (const eventID of EVENT_IDS)
		numbered.handlers.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY?.(numbered.context, { eventID, dom: null });
	emitAll(numbered.events);
	const plain = listener();
	for (const eventID of EVENT_IDS.slice(0, LAST_PLAIN_ID + 1))
		plain.handlers.CONNECT_DOMAIN_EVENT_REGISTER_ANY?.(plain.context, { eventID });
	emitAll(plain.events);
	assert.equal(numbered.sent.length, EVENT_IDS.length);
	assert.equal(plain.sent.length, LAST_PLAIN_ID + 1);
	const names = [...numbered.sent, ...plain.sent].map(({ name }) => name);
	assert.deepEqual([...new Set(names), ...Object.keys(UNSENT)].sort(), [...rows.keys()].sort());
});

test("what is sent of each event can be encoded as its message", () => {
	const { handlers, context, events, sent } = listener();
	for (const eventID of EVENT_IDS)
		handlers.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY?.(context, { eventID, dom: null });
	emitAll(events);
	for (const { name, message } of sent)
		assert.ok(encodeValue(rows.get(name)?.message as never, message as never).length, name);
});

test("identifiers beyond those known, and old registrations of new events, are refused", () => {
	const { handlers, context } = listener();
	const register = (eventID: number) => () =>
		handlers.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY?.(context, { eventID, dom: null });
	assert.throws(register(EVENT_IDS.length), isVirtError("INTERNAL_ERROR", "unsupported event ID"));
	assert.throws(register(-1), isVirtError("INTERNAL_ERROR", "unsupported event ID"));
	const eventID = LAST_PLAIN_ID + 1;
	assert.throws(
		() => handlers.CONNECT_DOMAIN_EVENT_REGISTER_ANY?.(context, { eventID }),
		isVirtError("INTERNAL_ERROR", "unsupported event ID"),
	);
});
