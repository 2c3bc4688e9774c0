// What handles an event of QEMU.

import type { QmpEvents } from "@virtkit/qapi/schema.gen";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";

/** Whose event it is. */
export interface EventSource {
	readonly driver: Driver;
	readonly domain: QemuDomain;
	readonly run: Run;
	/** Microseconds since the epoch. */
	readonly timestamp: number;
}

/** Handlers by QEMU's names of the events. They return at once; what takes longer goes into a job of its own. */
export type EventHandlers = {
	readonly [N in keyof QmpEvents]?: (source: EventSource, data: QmpEvents[N]) => void;
};
