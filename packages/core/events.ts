// Events of domains, and the bus that carries them from a driver to the front-ends.

import type { DomainRef } from "./domain-ref.ts";

/** Lifecycle events and their details, with libvirt's numbers (virDomainEventType and its detail enumerations). */
export const LIFECYCLE_EVENT = {
	defined: {
		number: 0,
		details: { added: 0, updated: 1, renamed: 2, "from-snapshot": 3 },
	},
	undefined: { number: 1, details: { removed: 0, renamed: 1 } },
	started: {
		number: 2,
		details: {
			booted: 0,
			migrated: 1,
			restored: 2,
			"from-snapshot": 3,
			wakeup: 4,
		},
	},
	suspended: {
		number: 3,
		details: {
			paused: 0,
			migrated: 1,
			ioerror: 2,
			watchdog: 3,
			restored: 4,
			"from-snapshot": 5,
			"api-error": 6,
			postcopy: 7,
			"postcopy-failed": 8,
		},
	},
	resumed: {
		number: 4,
		details: {
			unpaused: 0,
			migrated: 1,
			"from-snapshot": 2,
			postcopy: 3,
			"postcopy-failed": 4,
		},
	},
	stopped: {
		number: 5,
		details: {
			shutdown: 0,
			destroyed: 1,
			crashed: 2,
			migrated: 3,
			saved: 4,
			failed: 5,
			"from-snapshot": 6,
		},
	},
	shutdown: { number: 6, details: { finished: 0, guest: 1, host: 2 } },
	pmsuspended: { number: 7, details: { memory: 0, disk: 1 } },
	crashed: { number: 8, details: { panicked: 0, crashloaded: 1 } },
} as const;

export type LifecycleEventName = keyof typeof LIFECYCLE_EVENT;

/** A lifecycle event; only details of that event type-check. */
export type Lifecycle = {
	[E in LifecycleEventName]: {
		readonly event: E;
		readonly detail: keyof (typeof LIFECYCLE_EVENT)[E]["details"];
	};
}[LifecycleEventName];

/** What happens to domains beside their lifecycle, one member an event identifier of libvirt (virDomainEventID). */
export interface DomainEventPayloads {
	lifecycle: Lifecycle;
	reboot: object;
	"rtc-change": { offset: bigint };
	/** action: none 0, pause 1, reset 2, poweroff 3, shutdown 4, debug 5, inject-nmi 6. */
	watchdog: { action: number };
	/** action: none 0, pause 1, report 2. */
	"io-error": { path: string; device: string; action: number; reason: string };
	graphics: {
		phase: number;
		local: GraphicsAddress;
		remote: GraphicsAddress;
		authScheme: string;
		subject: { type: string; name: string }[];
	};
	"control-error": object;
	/** path: of images in the host's file systems alone. */
	"block-job": { path: string | undefined; target: string; type: number; status: number };
	/** reason: missing on start 0, dropped on start 1. */
	"disk-change": {
		oldPath: string | undefined;
		newPath: string | undefined;
		device: string;
		reason: number;
	};
	/** reason: open 0, close 1. */
	"tray-change": { device: string; reason: number };
	pmwakeup: { reason: number };
	pmsuspend: { reason: number };
	"pmsuspend-disk": { reason: number };
	"balloon-change": { actual: bigint };
	"device-removed": { device: string };
	"device-added": { device: string };
	"device-removal-failed": { device: string };
	tunable: { params: readonly import("./typed-params.ts").TypedParam[] };
	/** state: connected 1, disconnected 2; reason: unknown 0, domain started 1, channel 2. */
	"agent-lifecycle": { state: number; reason: number };
	"migration-iteration": { iteration: number };
	"job-completed": {
		params: readonly import("./typed-params.ts").TypedParam[];
	};
	/** type: description 0, title 1, element 2. */
	"metadata-change": { type: number; uri: string | undefined };
	"block-threshold": {
		device: string;
		path: string | undefined;
		threshold: bigint;
		excess: bigint;
	};
	"memory-failure": { recipient: number; action: number; flags: number };
	/** size: KiB. */
	"memory-device-size-change": { alias: string; size: bigint };
	/** A raw QEMU monitor event, for virConnectDomainQemuMonitorEventRegister. */
	"qemu-monitor": {
		event: string;
		seconds: bigint;
		micros: number;
		details: string | undefined;
	};
}

export interface GraphicsAddress {
	readonly family: number;
	readonly node: string;
	readonly service: string;
}

export type DomainEventKind = keyof DomainEventPayloads;

export type DomainEvent = {
	[K in DomainEventKind]: {
		readonly kind: K;
		readonly domain: DomainRef;
	} & DomainEventPayloads[K];
}[DomainEventKind];

export type DomainEventListener = (event: DomainEvent) => void;

/** Carries events in the order they were emitted; a listener that throws is reported and does not keep others from hearing. */
export class DomainEventBus {
	readonly #listeners = new Set<DomainEventListener>();
	readonly #onFailure: (error: unknown) => void;

	constructor(onFailure: (error: unknown) => void) {
		this.#onFailure = onFailure;
	}

	emit(event: DomainEvent): void {
		for (const listener of this.#listeners) {
			try {
				listener(event);
			} catch (error) {
				this.#onFailure(error);
			}
		}
	}

	/** Hears every event until disposed. */
	listen(listener: DomainEventListener): Disposable {
		this.#listeners.add(listener);
		return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
	}
}
