// Threads that serve disks apart from QEMU's main loop: how many, their numbers and their pools of workers.

import { integer, uint, ulong } from "@virtkit/xml/codec";
import { documentError, positionOf } from "@virtkit/xml/read";
import { attr, child, element, type Infer, leaf, list, type Schema } from "@virtkit/xml/schema";

const size = integer({ min: 0, max: 0x7fffffff });

const pool = {
	thread_pool_min: attr(size, { doc: "Workers that always stand by." }),
	thread_pool_max: attr(size, { doc: "Most workers there may be." }),
};

const poll = element({
	max: attr(ulong, { doc: "Most nanoseconds of looking; 0 for none." }),
	grow: attr(ulong, { doc: "Factor by which the time grows where it was too short." }),
	shrink: attr(ulong, { doc: "Divisor by which the time shrinks where it was too long." }),
	weight: attr(uint, { doc: "Weight of what was measured last." }),
});

const iothreadFieldsOfOne = element({
	id: attr(integer({ min: 1, max: 0xffffffff }), { required: true, doc: "Number of the thread, unique in the guest." }),
	...pool,
	poll: child(poll, { doc: "How long the thread looks for work before it sleeps." }),
});

/** One I/O thread. */
export interface IOThreadDef extends Infer<typeof iothreadFieldsOfOne> {
	/** Its number followed from the count alone, so that it is not written. */
	counted?: boolean;
}
const iothread: Schema<IOThreadDef> = iothreadFieldsOfOne;

const defaultIOThread = element(pool);

/** The fields that the domain's root has of I/O threads. */
export const iothreadFields = {
	iothreads: leaf(uint, { absent: 0, doc: "How many I/O threads the guest has." }),
	iothreadids: list(iothread, {
		name: "iothread",
		inside: "iothreadids",
		show: (self) => (self.iothreadids as readonly IOThreadDef[]).some((thread) => !isNumberedByCount(thread)),
		doc: "Their numbers; those not named are numbered from 1.",
	}),
	defaultiothread: child(defaultIOThread, { doc: "The pool of QEMU's main loop." }),
};

function isNumberedByCount(thread: IOThreadDef): boolean {
	const { counted, thread_pool_min, thread_pool_max, poll: looks } = thread;
	return counted === true && thread_pool_min === undefined && thread_pool_max === undefined && looks === undefined;
}

/** More threads than this are refused: QEMU would run out of descriptors long before. */
const MAX_IOTHREADS = 65536;

interface IOThreadsHolder {
	iothreads?: number | undefined;
	iothreadids: IOThreadDef[];
}

/** Makes count and list of `def` agree: threads that the list lacks get the lowest free numbers. Throws XML_ERROR for numbers used twice. */
export function fillIOThreads(def: IOThreadsHolder): void {
	const used = new Set<number>();
	for (const thread of def.iothreadids) {
		if (used.has(thread.id)) throw documentError(positionOf(thread), `duplicate iothread id '${thread.id}' found`);
		used.add(thread.id);
	}
	if ((def.iothreads ?? 0) > MAX_IOTHREADS)
		throw documentError(positionOf(def), `iothreads count '${def.iothreads}' is more than ${MAX_IOTHREADS}`);
	for (let id = 1; def.iothreadids.length < (def.iothreads ?? 0); id++) {
		if (used.has(id)) continue;
		def.iothreadids.push({ id, counted: true });
	}
	if (def.iothreadids.length > 0) def.iothreads = def.iothreadids.length;
}
