// Hands each event of QEMU to its handler, and to those who listen to QEMU's events as they are.

import { toVirtError } from "@virtkit/base/errors";
import type { QmpEvent } from "@virtkit/qmp/messages";
import { blockJobEvents } from "../block/follow.ts";
import { thresholdEvents } from "../block/threshold.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { migrationEvents } from "../migration/postcopy.ts";
import { deviceEvents } from "./device-events.ts";
import { graphicsEvents } from "./graphics-events.ts";
import type { EventHandlers, EventSource } from "./handler.ts";
import { lifecycleEvents } from "./lifecycle-events.ts";
import { trouble } from "./trouble.ts";

const HANDLERS: EventHandlers = {
	...lifecycleEvents,
	...trouble,
	...deviceEvents,
	...thresholdEvents,
	...graphicsEvents,
	...blockJobEvents,
	...migrationEvents,
};

/** Handles one event of a run. */
export function handleEvent(driver: Driver, domain: QemuDomain, run: Run, event: QmpEvent): void {
	if (domain.run !== run) return;
	const seconds = Math.floor(event.timestamp / 1_000_000);
	driver.emit("qemu-monitor", domain.ref, {
		event: event.event,
		seconds: BigInt(seconds),
		micros: event.timestamp - seconds * 1_000_000,
		details: Object.keys(event.data).length === 0 ? undefined : JSON.stringify(event.data),
	});
	// A newer QEMU's event is in no table; an object's inherited members are no handlers.
	if (!Object.hasOwn(HANDLERS, event.event)) return;
	const handler = HANDLERS[event.event] as (source: EventSource, data: unknown) => void;
	try {
		handler({ driver, domain, run, timestamp: event.timestamp }, event.data);
	} catch (error) {
		driver.log.error(`event ${event.event} of '${domain.name}': ${toVirtError(error).message}`, { error });
	}
}
