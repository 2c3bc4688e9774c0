// Which I/O threads serve a device, and which of its queues each of them.

import { uint } from "@virtkit/xml/codec";
import { attr, element, type Infer, list } from "@virtkit/xml/schema";

const queue = element({ id: attr(uint, { required: true, doc: "Number of the queue, from 0." }) });

const thread = element({
	id: attr(uint, { required: true, doc: "Number of the I/O thread." }),
	queue: list(queue, { doc: "Queues it serves; they are shared out evenly where none are named." }),
});

/** <iothreads> of a disk's or controller's driver. */
export const queueThreads = element({ iothread: list(thread, { doc: "One I/O thread." }) });
export type QueueThreadsDef = Infer<typeof queueThreads>;
