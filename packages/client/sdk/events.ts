// Domain events as an async iteration of typed values.

import { LIFECYCLE_EVENT, type LifecycleEventName } from "@virtkit/core/events";
import type { EventName, MessageOf } from "@virtkit/protocol/procedure-types";
import type { RpcClient } from "../rpc-client.ts";
import { Domain } from "./domain.ts";
import { type Parameters, parametersOf } from "./parameters.ts";

/** What each kind of event tells beside its domain; numbers are those of libvirt's enumerations. */
export interface EventFacts {
	lifecycle: { readonly event: LifecycleEventName; readonly detail: string };
	reboot: object;
	"rtc-change": { readonly offset: bigint };
	watchdog: { readonly action: number };
	"io-error": { readonly path: string; readonly device: string; readonly action: number; readonly reason: string };
	/** The same without the reason, as older clients hear of it. */
	"io-error-legacy": { readonly path: string; readonly device: string; readonly action: number };
	graphics: {
		readonly phase: number;
		readonly local: GraphicsAddress;
		readonly remote: GraphicsAddress;
		readonly authScheme: string;
		readonly subject: readonly { readonly type: string; readonly name: string }[];
	};
	"control-error": object;
	"tray-change": { readonly device: string; readonly reason: number };
	"disk-change": {
		readonly device: string;
		readonly oldPath: string | null;
		readonly newPath: string | null;
		readonly reason: number;
	};
	"balloon-change": { readonly actual: bigint };
	pmsuspend: { readonly reason: number };
	pmwakeup: { readonly reason: number };
	"pmsuspend-disk": { readonly reason: number };
	"device-added": { readonly device: string };
	"device-removed": { readonly device: string };
	"block-job": { readonly target: string; readonly type: number; readonly status: number };
	/** The same by the disk's source, as older clients hear of it. */
	"block-job-legacy": { readonly path: string; readonly type: number; readonly status: number };
	tunable: { readonly parameters: Parameters };
	"agent-lifecycle": { readonly state: number; readonly reason: number };
	"migration-iteration": { readonly iteration: number };
	"job-completed": { readonly parameters: Parameters };
	"device-removal-failed": { readonly device: string };
	"metadata-change": { readonly type: number; readonly uri: string | null };
	"block-threshold": {
		readonly device: string;
		readonly path: string | null;
		/** Bytes. */
		readonly threshold: bigint;
		/** Bytes written beyond it. */
		readonly excess: bigint;
	};
	"memory-failure": { readonly recipient: number; readonly action: number; readonly flags: number };
	/** Size in KiB. */
	"memory-device-size-change": { readonly alias: string; readonly size: bigint };
}

/** An end of a display's connection; `family` is libvirt's (IPv4 0, IPv6 1, UNIX 2). */
export interface GraphicsAddress {
	readonly family: number;
	readonly node: string;
	readonly service: string;
}

export type EventKind = keyof EventFacts;
export type Event = { [K in EventKind]: { readonly kind: K; readonly domain: Domain } & EventFacts[K] }[EventKind];

interface Source<K extends EventKind, P extends EventName> {
	/** virDomainEventID */
	readonly id: number;
	readonly message: P;
	readonly facts: (message: MessageOf<P>) => EventFacts[K];
}

/** A row: which event identifier, which message, and what of the message is told. */
function source<K extends EventKind, P extends EventName>(
	kind: K,
	id: number,
	message: P,
	facts: Source<K, P>["facts"],
): { kind: K } & Source<K, never> {
	return { kind, id, message: message as never, facts: facts as Source<K, never>["facts"] };
}

/** Rows in the order of libvirt's numbers. */
const SOURCES = [
	source("lifecycle", 0, "DOMAIN_EVENT_CALLBACK_LIFECYCLE", ({ msg }) => lifecycleOf(msg.event, msg.detail)),
	source("reboot", 1, "DOMAIN_EVENT_CALLBACK_REBOOT", () => ({})),
	source("rtc-change", 2, "DOMAIN_EVENT_CALLBACK_RTC_CHANGE", ({ msg }) => ({ offset: msg.offset })),
	source("watchdog", 3, "DOMAIN_EVENT_CALLBACK_WATCHDOG", ({ msg }) => ({ action: msg.action })),
	source("io-error-legacy", 4, "DOMAIN_EVENT_CALLBACK_IO_ERROR", ({ msg }) => ({
		path: msg.srcPath,
		device: msg.devAlias,
		action: msg.action,
	})),
	source("graphics", 5, "DOMAIN_EVENT_CALLBACK_GRAPHICS", ({ msg: { dom: _, ...facts } }) => facts),
	source("io-error", 6, "DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON", ({ msg }) => ({
		path: msg.srcPath,
		device: msg.devAlias,
		action: msg.action,
		reason: msg.reason,
	})),
	source("control-error", 7, "DOMAIN_EVENT_CALLBACK_CONTROL_ERROR", () => ({})),
	source("block-job-legacy", 8, "DOMAIN_EVENT_CALLBACK_BLOCK_JOB", ({ msg: { path, type, status } }) => ({
		path,
		type,
		status,
	})),
	source("disk-change", 9, "DOMAIN_EVENT_CALLBACK_DISK_CHANGE", ({ msg }) => ({
		device: msg.devAlias,
		oldPath: msg.oldSrcPath,
		newPath: msg.newSrcPath,
		reason: msg.reason,
	})),
	source("tray-change", 10, "DOMAIN_EVENT_CALLBACK_TRAY_CHANGE", ({ msg }) => ({
		device: msg.devAlias,
		reason: msg.reason,
	})),
	source("pmwakeup", 11, "DOMAIN_EVENT_CALLBACK_PMWAKEUP", ({ reason }) => ({ reason })),
	source("pmsuspend", 12, "DOMAIN_EVENT_CALLBACK_PMSUSPEND", ({ reason }) => ({ reason })),
	source("balloon-change", 13, "DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE", ({ msg }) => ({ actual: msg.actual })),
	source("pmsuspend-disk", 14, "DOMAIN_EVENT_CALLBACK_PMSUSPEND_DISK", ({ reason }) => ({ reason })),
	source("device-removed", 15, "DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED", ({ msg }) => ({ device: msg.devAlias })),
	source("block-job", 16, "DOMAIN_EVENT_BLOCK_JOB_2", ({ dst, type, status }) => ({ target: dst, type, status })),
	source("tunable", 17, "DOMAIN_EVENT_CALLBACK_TUNABLE", ({ params }) => ({ parameters: parametersOf(params) })),
	source("agent-lifecycle", 18, "DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE", ({ state, reason }) => ({ state, reason })),
	source("device-added", 19, "DOMAIN_EVENT_CALLBACK_DEVICE_ADDED", ({ devAlias }) => ({ device: devAlias })),
	source("migration-iteration", 20, "DOMAIN_EVENT_CALLBACK_MIGRATION_ITERATION", ({ iteration }) => ({ iteration })),
	source("job-completed", 21, "DOMAIN_EVENT_CALLBACK_JOB_COMPLETED", ({ params }) => ({
		parameters: parametersOf(params),
	})),
	source("device-removal-failed", 22, "DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED", ({ devAlias }) => ({
		device: devAlias,
	})),
	source("metadata-change", 23, "DOMAIN_EVENT_CALLBACK_METADATA_CHANGE", ({ type, nsuri }) => ({ type, uri: nsuri })),
	source("block-threshold", 24, "DOMAIN_EVENT_BLOCK_THRESHOLD", ({ dev, path, threshold, excess }) => ({
		device: dev,
		path,
		threshold,
		excess,
	})),
	source("memory-failure", 25, "DOMAIN_EVENT_MEMORY_FAILURE", ({ recipient, action, flags }) => ({
		recipient,
		action,
		flags,
	})),
	source("memory-device-size-change", 26, "DOMAIN_EVENT_MEMORY_DEVICE_SIZE_CHANGE", ({ alias, size }) => ({
		alias,
		size,
	})),
] as const;

/** Every kind that can be heard. */
export const ALL_EVENT_KINDS: readonly EventKind[] = SOURCES.map(({ kind }) => kind);

/** Every kind but those that tell again, with less, what another one tells. */
export const EVENT_KINDS: readonly EventKind[] = ALL_EVENT_KINDS.filter((kind) => !kind.endsWith("-legacy"));

function lifecycleOf(event: number, detail: number): EventFacts["lifecycle"] {
	for (const [name, row] of Object.entries(LIFECYCLE_EVENT)) {
		if (row.number !== event) continue;
		const word = Object.entries(row.details).find(([, number]) => number === detail)?.[0];
		return { event: name as LifecycleEventName, detail: word ?? String(detail) };
	}
	return { event: "defined", detail: String(detail) };
}

/** Events that wait to be taken, before a reader that is too slow is told so. */
const QUEUE_MAX = 10_000;

/** Events in the order they came; ends when the connection or the iteration does. */
export class EventStream implements AsyncIterableIterator<Event>, AsyncDisposable {
	readonly #rpc: RpcClient;
	readonly #queue: Event[] = [];
	readonly #stops: (() => void)[] = [];
	readonly #callbacks: number[] = [];
	#take: (() => void) | undefined;
	#failure: Error | undefined;
	#ended = false;

	private constructor(rpc: RpcClient) {
		this.#rpc = rpc;
	}

	/** Registers for `kinds`, of one domain or of all. */
	static async open(rpc: RpcClient, kinds: readonly EventKind[], domain: Domain | undefined): Promise<EventStream> {
		const stream = new EventStream(rpc);
		void rpc.closed.then((reason) => stream.#end(reason));
		await Promise.all(SOURCES.filter(({ kind }) => kinds.includes(kind)).map((one) => stream.#register(one, domain)));
		return stream;
	}

	async #register(from: (typeof SOURCES)[number], domain: Domain | undefined): Promise<void> {
		const early: { callbackID: number; event: Event }[] = [];
		let own: number | undefined;
		const accept = (message: { readonly callbackID: number }): void => {
			const dom = "dom" in message ? message.dom : (message as unknown as { msg: { dom: unknown } }).msg.dom;
			const event = {
				kind: from.kind,
				domain: new Domain(this.#rpc, dom as Domain["ref"]),
				...from.facts(message as never),
			} as Event;
			// An event may overtake the reply that tells the callback's number.
			if (own === undefined) early.push({ callbackID: message.callbackID, event });
			else if (message.callbackID === own) this.#push(event);
		};
		this.#stops.push(this.#rpc.onEvent(from.message, accept as never));
		const { callbackID } = await this.#rpc.call("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", {
			eventID: from.id,
			dom: domain?.ref ?? null,
		});
		own = callbackID;
		this.#callbacks.push(callbackID);
		for (const one of early) if (one.callbackID === own) this.#push(one.event);
	}

	#push(event: Event): void {
		if (this.#ended) return;
		this.#queue.push(event);
		if (this.#queue.length > QUEUE_MAX) this.#end(new Error(`${QUEUE_MAX} events wait: the reader is too slow`));
		this.#take?.();
	}

	#end(failure?: Error): void {
		this.#ended = true;
		this.#failure ??= failure;
		for (const stop of this.#stops) stop();
		this.#take?.();
	}

	async next(): Promise<IteratorResult<Event>> {
		for (;;) {
			const event = this.#queue.shift();
			if (event) return { done: false, value: event };
			if (this.#failure) throw this.#failure;
			if (this.#ended) return { done: true, value: undefined };
			const { promise, resolve } = Promise.withResolvers<void>();
			this.#take = resolve;
			await promise;
			this.#take = undefined;
		}
	}

	/** Deregisters; what still waits is dropped. */
	async return(): Promise<IteratorResult<Event>> {
		if (!this.#ended) {
			this.#end();
			await Promise.allSettled(
				this.#callbacks.map((callbackID) =>
					this.#rpc.call("CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY", { callbackID }),
				),
			);
		}
		return { done: true, value: undefined };
	}

	[Symbol.asyncIterator](): this {
		return this;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.return();
	}
}
