// Domain events: who asked to hear of what, and each event as the message that libvirt's clients know.

import { VirtError } from "@virtkit/base/errors";
import type { DomainRef } from "@virtkit/core/domain-ref";
import { type DomainEvent, type DomainEventKind, LIFECYCLE_EVENT, type Lifecycle } from "@virtkit/core/events";
import type { Hypervisor } from "@virtkit/core/hypervisor";
import type { DomainRef as WireDomain } from "@virtkit/protocol/types/object";
import type { Client, Handlers } from "../handler.ts";
import { wireParameters } from "./domain-call.ts";

type EventOf<K extends DomainEventKind> = Extract<DomainEvent, { kind: K }>;

/** How one event identifier (virDomainEventID) is told: the event it is about, and the sending of its message. */
interface EventRow {
	readonly kind: DomainEventKind;
	/** To a callback registered by number. */
	readonly send: (client: Client, callbackID: number, event: never) => void;
	/** To a client of the older registration, which knows one callback an event and no numbers. */
	readonly sendPlain?: (client: Client, event: never) => void;
}

const wire = ({ name, uuid, id }: DomainRef): WireDomain => ({ name, uuid, id });

function lifecycleNumbers({ event, detail }: Lifecycle): { event: number; detail: number } {
	const { number, details } = LIFECYCLE_EVENT[event];
	return { event: number, detail: (details as Readonly<Record<string, number>>)[detail] ?? 0 };
}

/** Messages that both registrations share, with the callback's number around them or without. */
const lifecycle = (event: EventOf<"lifecycle">) => ({ dom: wire(event.domain), ...lifecycleNumbers(event) });
const reboot = (event: EventOf<"reboot">) => ({ dom: wire(event.domain) });
const rtcChange = (event: EventOf<"rtc-change">) => ({ dom: wire(event.domain), offset: event.offset });
const watchdog = (event: EventOf<"watchdog">) => ({ dom: wire(event.domain), action: event.action });
const ioError = (event: EventOf<"io-error">) => ({
	dom: wire(event.domain),
	srcPath: event.path,
	devAlias: event.device,
	action: event.action,
});
const ioErrorReason = (event: EventOf<"io-error">) => ({ ...ioError(event), reason: event.reason });
const controlError = (event: EventOf<"control-error">) => ({ dom: wire(event.domain) });
/** The older event names a disk by its path: nothing is told of disks that have none. */
const blockJob = (event: EventOf<"block-job">, path: string) => ({
	dom: wire(event.domain),
	path,
	type: event.type,
	status: event.status,
});
const trayChange = (event: EventOf<"tray-change">) => ({
	dom: wire(event.domain),
	devAlias: event.device,
	reason: event.reason,
});
const balloonChange = (event: EventOf<"balloon-change">) => ({ dom: wire(event.domain), actual: event.actual });
const deviceRemoved = (event: EventOf<"device-removed">) => ({ dom: wire(event.domain), devAlias: event.device });
const diskChange = (event: EventOf<"disk-change">) => ({
	dom: wire(event.domain),
	oldSrcPath: event.oldPath ?? null,
	newSrcPath: event.newPath ?? null,
	devAlias: event.device,
	reason: event.reason,
});
const graphics = (event: EventOf<"graphics">) => ({
	dom: wire(event.domain),
	phase: event.phase,
	local: { ...event.local },
	remote: { ...event.remote },
	authScheme: event.authScheme,
	subject: event.subject.map((identity) => ({ ...identity })),
});

function row<K extends DomainEventKind>(
	kind: K,
	send: (client: Client, callbackID: number, event: EventOf<K>) => void,
	sendPlain?: (client: Client, event: EventOf<K>) => void,
): EventRow {
	return { kind, send, ...(sendPlain ? { sendPlain } : {}) };
}

/** Rows in the order of their identifiers; libvirt's public header gives the numbers. */
const EVENTS: readonly EventRow[] = [
	row(
		"lifecycle",
		(client, callbackID, event) =>
			client.sendEvent("DOMAIN_EVENT_CALLBACK_LIFECYCLE", { callbackID, msg: lifecycle(event) }),
		(client, event) => client.sendEvent("DOMAIN_EVENT_LIFECYCLE", lifecycle(event)),
	),
	row(
		"reboot",
		(client, callbackID, event) => client.sendEvent("DOMAIN_EVENT_CALLBACK_REBOOT", { callbackID, msg: reboot(event) }),
		(client, event) => client.sendEvent("DOMAIN_EVENT_REBOOT", reboot(event)),
	),
	row(
		"rtc-change",
		(client, callbackID, event) =>
			client.sendEvent("DOMAIN_EVENT_CALLBACK_RTC_CHANGE", { callbackID, msg: rtcChange(event) }),
		(client, event) => client.sendEvent("DOMAIN_EVENT_RTC_CHANGE", rtcChange(event)),
	),
	row(
		"watchdog",
		(client, callbackID, event) =>
			client.sendEvent("DOMAIN_EVENT_CALLBACK_WATCHDOG", { callbackID, msg: watchdog(event) }),
		(client, event) => client.sendEvent("DOMAIN_EVENT_WATCHDOG", watchdog(event)),
	),
	row(
		"io-error",
		(client, callbackID, event) =>
			client.sendEvent("DOMAIN_EVENT_CALLBACK_IO_ERROR", { callbackID, msg: ioError(event) }),
		(client, event) => client.sendEvent("DOMAIN_EVENT_IO_ERROR", ioError(event)),
	),
	row(
		"graphics",
		(client, callbackID, event) =>
			client.sendEvent("DOMAIN_EVENT_CALLBACK_GRAPHICS", { callbackID, msg: graphics(event) }),
		(client, event) => client.sendEvent("DOMAIN_EVENT_GRAPHICS", graphics(event)),
	),
	row(
		"io-error",
		(client, callbackID, event) =>
			client.sendEvent("DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON", { callbackID, msg: ioErrorReason(event) }),
		(client, event) => client.sendEvent("DOMAIN_EVENT_IO_ERROR_REASON", ioErrorReason(event)),
	),
	row(
		"control-error",
		(client, callbackID, event) =>
			client.sendEvent("DOMAIN_EVENT_CALLBACK_CONTROL_ERROR", { callbackID, msg: controlError(event) }),
		(client, event) => client.sendEvent("DOMAIN_EVENT_CONTROL_ERROR", controlError(event)),
	),
	row(
		"block-job",
		(client, callbackID, event) => {
			const { path } = event;
			if (path !== undefined)
				client.sendEvent("DOMAIN_EVENT_CALLBACK_BLOCK_JOB", { callbackID, msg: blockJob(event, path) });
		},
		(client, event) => {
			if (event.path !== undefined) client.sendEvent("DOMAIN_EVENT_BLOCK_JOB", blockJob(event, event.path));
		},
	),
	row(
		"disk-change",
		(client, callbackID, event) =>
			client.sendEvent("DOMAIN_EVENT_CALLBACK_DISK_CHANGE", { callbackID, msg: diskChange(event) }),
		(client, event) => client.sendEvent("DOMAIN_EVENT_DISK_CHANGE", diskChange(event)),
	),
	row(
		"tray-change",
		(client, callbackID, event) =>
			client.sendEvent("DOMAIN_EVENT_CALLBACK_TRAY_CHANGE", { callbackID, msg: trayChange(event) }),
		(client, event) => client.sendEvent("DOMAIN_EVENT_TRAY_CHANGE", trayChange(event)),
	),
	row(
		"pmwakeup",
		(client, callbackID, event) =>
			client.sendEvent("DOMAIN_EVENT_CALLBACK_PMWAKEUP", {
				callbackID,
				reason: event.reason,
				msg: { dom: wire(event.domain) },
			}),
		(client, event) => client.sendEvent("DOMAIN_EVENT_PMWAKEUP", { dom: wire(event.domain) }),
	),
	row(
		"pmsuspend",
		(client, callbackID, event) =>
			client.sendEvent("DOMAIN_EVENT_CALLBACK_PMSUSPEND", {
				callbackID,
				reason: event.reason,
				msg: { dom: wire(event.domain) },
			}),
		(client, event) => client.sendEvent("DOMAIN_EVENT_PMSUSPEND", { dom: wire(event.domain) }),
	),
	row(
		"balloon-change",
		(client, callbackID, event) =>
			client.sendEvent("DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE", { callbackID, msg: balloonChange(event) }),
		(client, event) => client.sendEvent("DOMAIN_EVENT_BALLOON_CHANGE", balloonChange(event)),
	),
	row(
		"pmsuspend-disk",
		(client, callbackID, event) =>
			client.sendEvent("DOMAIN_EVENT_CALLBACK_PMSUSPEND_DISK", {
				callbackID,
				reason: event.reason,
				msg: { dom: wire(event.domain) },
			}),
		(client, event) => client.sendEvent("DOMAIN_EVENT_PMSUSPEND_DISK", { dom: wire(event.domain) }),
	),
	row(
		"device-removed",
		(client, callbackID, event) =>
			client.sendEvent("DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED", { callbackID, msg: deviceRemoved(event) }),
		(client, event) => client.sendEvent("DOMAIN_EVENT_DEVICE_REMOVED", deviceRemoved(event)),
	),
	row("block-job", (client, callbackID, event) =>
		client.sendEvent("DOMAIN_EVENT_BLOCK_JOB_2", {
			callbackID,
			dom: wire(event.domain),
			dst: event.target,
			type: event.type,
			status: event.status,
		}),
	),
	row("tunable", (client, callbackID, event) =>
		client.sendEvent("DOMAIN_EVENT_CALLBACK_TUNABLE", {
			callbackID,
			dom: wire(event.domain),
			params: wireParameters(event.params),
		}),
	),
	row("agent-lifecycle", (client, callbackID, event) =>
		client.sendEvent("DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE", {
			callbackID,
			dom: wire(event.domain),
			state: event.state,
			reason: event.reason,
		}),
	),
	row("device-added", (client, callbackID, event) =>
		client.sendEvent("DOMAIN_EVENT_CALLBACK_DEVICE_ADDED", {
			callbackID,
			dom: wire(event.domain),
			devAlias: event.device,
		}),
	),
	row("migration-iteration", (client, callbackID, event) =>
		client.sendEvent("DOMAIN_EVENT_CALLBACK_MIGRATION_ITERATION", {
			callbackID,
			dom: wire(event.domain),
			iteration: event.iteration,
		}),
	),
	row("job-completed", (client, callbackID, event) =>
		client.sendEvent("DOMAIN_EVENT_CALLBACK_JOB_COMPLETED", {
			callbackID,
			dom: wire(event.domain),
			params: wireParameters(event.params),
		}),
	),
	row("device-removal-failed", (client, callbackID, event) =>
		client.sendEvent("DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED", {
			callbackID,
			dom: wire(event.domain),
			devAlias: event.device,
		}),
	),
	row("metadata-change", (client, callbackID, event) =>
		client.sendEvent("DOMAIN_EVENT_CALLBACK_METADATA_CHANGE", {
			callbackID,
			dom: wire(event.domain),
			type: event.type,
			nsuri: event.uri ?? null,
		}),
	),
	row("block-threshold", (client, callbackID, event) =>
		client.sendEvent("DOMAIN_EVENT_BLOCK_THRESHOLD", {
			callbackID,
			dom: wire(event.domain),
			dev: event.device,
			path: event.path ?? null,
			threshold: event.threshold,
			excess: event.excess,
		}),
	),
	row("memory-failure", (client, callbackID, event) =>
		client.sendEvent("DOMAIN_EVENT_MEMORY_FAILURE", {
			callbackID,
			dom: wire(event.domain),
			recipient: event.recipient,
			action: event.action,
			flags: event.flags,
		}),
	),
	row("memory-device-size-change", (client, callbackID, event) =>
		client.sendEvent("DOMAIN_EVENT_MEMORY_DEVICE_SIZE_CHANGE", {
			callbackID,
			dom: wire(event.domain),
			alias: event.alias,
			size: event.size,
		}),
	),
];

interface Registration {
	readonly kind: DomainEventKind;
	/** Only events of this domain; all where undefined. */
	readonly uuid: string | undefined;
	readonly send: (event: DomainEvent) => void;
}

/** One client's registrations, heard on one listener that exists while there are any. */
export class ClientEvents {
	readonly #registrations = new Map<number | string, Registration>();
	readonly #hypervisor: Hypervisor;
	#listener: Disposable | undefined;
	#next = 0;

	constructor(hypervisor: Hypervisor, client: Client) {
		this.#hypervisor = hypervisor;
		client.onClose(() => this.#listener?.[Symbol.dispose]());
	}

	/** Adds a registration under a number of its own, and returns the number. */
	add(registration: Registration | ((callbackID: number) => Registration)): number {
		const callbackID = this.#next++;
		this.#put(callbackID, typeof registration === "function" ? registration(callbackID) : registration);
		return callbackID;
	}

	/** Adds a registration under a name that may be taken once. */
	addNamed(name: string, registration: Registration): void {
		if (this.#registrations.has(name))
			throw new VirtError("INVALID_ARG", "event callback already tracked", { domain: "NONE" });
		this.#put(name, registration);
	}

	remove(key: number | string): void {
		if (!this.#registrations.delete(key))
			throw new VirtError("INTERNAL_ERROR", `domain event callback ${key} not registered`, { domain: "RPC" });
		if (this.#registrations.size > 0) return;
		this.#listener?.[Symbol.dispose]();
		this.#listener = undefined;
	}

	#put(key: number | string, registration: Registration): void {
		this.#registrations.set(key, registration);
		this.#listener ??= this.#hypervisor.events.listen((event) => {
			for (const one of this.#registrations.values())
				if (one.kind === event.kind && (one.uuid === undefined || one.uuid === event.domain.uuid)) one.send(event);
		});
	}
}

const STATE_KEY = Symbol("domain events");

/** The client's registrations, made when first asked for. */
export function eventsOf(hypervisor: Hypervisor, client: Client): ClientEvents {
	const known = client.state.get(STATE_KEY);
	if (known instanceof ClientEvents) return known;
	const made = new ClientEvents(hypervisor, client);
	client.state.set(STATE_KEY, made);
	return made;
}

function eventRow(eventID: number): EventRow {
	const found = EVENTS[eventID];
	if (!found) throw new VirtError("INTERNAL_ERROR", `unsupported event ID ${eventID}`, { domain: "RPC" });
	return found;
}

/** The row's sender with its event's type forgotten; the registration's kind vouches for it. */
function numberedSender({ send }: EventRow, client: Client, callbackID: number): Registration["send"] {
	const sendAny = send as (client: Client, callbackID: number, event: DomainEvent) => void;
	return (event) => sendAny(client, callbackID, event);
}

function plainSender({ sendPlain }: EventRow, client: Client, eventID: number): Registration["send"] {
	if (!sendPlain) throw new VirtError("INTERNAL_ERROR", `unsupported event ID ${eventID}`, { domain: "RPC" });
	const sendAny = sendPlain as (client: Client, event: DomainEvent) => void;
	return (event) => sendAny(client, event);
}

export function domainEventHandlers(hypervisor: Hypervisor): Handlers {
	const addPlain = (client: Client, eventID: number): void => {
		const found = eventRow(eventID);
		eventsOf(hypervisor, client).addNamed(`${eventID}`, {
			kind: found.kind,
			uuid: undefined,
			send: plainSender(found, client, eventID),
		});
	};
	return {
		CONNECT_DOMAIN_EVENT_REGISTER: ({ client }) => {
			addPlain(client, 0);
			// libvirtd never says how many there are.
			return { cbRegistered: 0 };
		},
		CONNECT_DOMAIN_EVENT_DEREGISTER: ({ client }) => {
			eventsOf(hypervisor, client).remove("0");
			return { cbRegistered: 0 };
		},
		CONNECT_DOMAIN_EVENT_REGISTER_ANY: ({ client }, { eventID }) => addPlain(client, eventID),
		CONNECT_DOMAIN_EVENT_DEREGISTER_ANY: ({ client }, { eventID }) => eventsOf(hypervisor, client).remove(`${eventID}`),
		CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY: ({ client }, { eventID, dom }) => {
			const found = eventRow(eventID);
			// Also of a domain that is not there, or not yet: libvirtd does not look for it.
			const uuid = dom?.uuid;
			const callbackID = eventsOf(hypervisor, client).add((number) => ({
				kind: found.kind,
				uuid,
				send: numberedSender(found, client, number),
			}));
			return { callbackID };
		},
		CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY: ({ client }, { callbackID }) =>
			eventsOf(hypervisor, client).remove(callbackID),
	};
}
