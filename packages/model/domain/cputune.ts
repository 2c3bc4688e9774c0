// Host CPU time and caches that the guest's threads get: shares, quotas, pins, schedulers, cache and bandwidth shares.

import { int, integer, nonEmpty, oneOf, uint, uint64 } from "@virtkit/xml/codec";
import { documentError } from "@virtkit/xml/read";
import { attr, child, element, type Field, type Infer, leaf, list } from "@virtkit/xml/schema";
import { numberSetCode, someNumbers } from "./number-sets.ts";
import { prettyAmount } from "./pretty-amount.ts";

const long = integer();
const period = (doc: string) => leaf(uint64, { absent: 0n, doc });
const quota = (doc: string) => leaf(long, { absent: 0, doc });
const cpuset = (doc: string) => attr(someNumbers, { required: true, code: numberSetCode, doc });
const vcpus = attr(someNumbers, { required: true, code: numberSetCode, doc: "Virtual CPUs it is about." });

/** Policies with a priority. */
const REAL_TIME: ReadonlySet<unknown> = new Set(["fifo", "rr"]);

const scheduler = {
	scheduler: attr(oneOf("batch", "idle", "fifo", "rr"), { required: true, doc: "Linux scheduling policy." }),
	priority: attr(int, {
		doc: "Priority of the real-time policies.",
		show: (self) => REAL_TIME.has(self.scheduler),
	}),
} as const satisfies Record<string, Field>;

const vcpusched = element({ vcpus, ...scheduler });
const iothreadsched = element({
	iothreads: attr(someNumbers, { required: true, code: numberSetCode, doc: "I/O threads it is about." }),
	...scheduler,
});

const monitor = element({
	level: attr(uint, { doc: "Cache level that is watched." }),
	vcpus,
});

const cachetune = element({
	vcpus,
	cache: list(
		element({
			id: attr(uint, { required: true, doc: "Host cache." }),
			level: attr(uint, { required: true, doc: "Level of the host cache." }),
			type: attr(oneOf("both", "code", "data"), { required: true, doc: "What is cached." }),
			size: prettyAmount("size", { assumed: "KiB", doc: "Bytes of the cache that the CPUs have to themselves." }),
		}),
	),
	monitor: list(monitor, { doc: "Cache use that is watched." }),
});

const memorytune = element({
	vcpus,
	node: list(
		element({
			id: attr(uint, { required: true, doc: "Host NUMA node." }),
			bandwidth: attr(uint, { required: true, doc: "Share of the node's memory bandwidth in per cent." }),
		}),
	),
	monitor: list(element({ vcpus }), { doc: "Memory bandwidth that is watched." }),
});

const energytune = element({
	vcpus,
	id: attr(nonEmpty, { live: true, doc: "Name of the host's group." }),
	monitor: list(element({ vcpus }), { doc: "Energy use that is watched." }),
});

/** One entry a thread, in the order of their numbers: how libvirt keeps and writes schedulers. */
function eachThread<K extends "vcpus" | "iothreads", T extends { readonly [P in K]: number[] }>(
	all: readonly T[],
	key: K,
): T[] {
	return all
		.flatMap((one) => one[key].map((id) => ({ id, one: { ...one, [key]: [id] } })))
		.sort((a, b) => a.id - b.id)
		.map(({ one }) => one);
}

export const cputune = element(
	{
		shares: leaf(uint64, { doc: "CPU time relative to other guests." }),
		period: period("Enforcement interval of a virtual CPU in microseconds."),
		quota: quota("Microseconds that a virtual CPU may run in each period."),
		global_period: period("Enforcement interval of the whole guest in microseconds."),
		global_quota: quota("Microseconds that the whole guest may run in each period."),
		emulator_period: period("Enforcement interval of the emulator's own threads in microseconds."),
		emulator_quota: quota("Microseconds that the emulator's own threads may run in each period."),
		iothread_period: period("Enforcement interval of an I/O thread in microseconds."),
		iothread_quota: quota("Microseconds that an I/O thread may run in each period."),
		vcpupin: list(
			element({
				vcpu: attr(uint, { required: true, doc: "Number of the virtual CPU." }),
				cpuset: cpuset("Host CPUs that it runs on."),
			}),
			{ doc: "Host CPUs of one virtual CPU." },
		),
		emulatorpin: child(element({ cpuset: cpuset("Host CPUs that the emulator's own threads run on.") })),
		iothreadpin: list(
			element({
				iothread: attr(integer({ min: 1, max: 0xffffffff }), { required: true, doc: "Number of the I/O thread." }),
				cpuset: cpuset("Host CPUs that it runs on."),
			}),
			{ doc: "Host CPUs of one I/O thread." },
		),
		emulatorsched: child(element(scheduler), { doc: "Scheduling of the emulator's own threads." }),
		vcpusched: list(vcpusched, { doc: "Scheduling of virtual CPUs." }),
		iothreadsched: list(iothreadsched, { doc: "Scheduling of I/O threads." }),
		cachetune: list(cachetune, { doc: "Host caches that virtual CPUs have to themselves." }),
		energytune: list(energytune, { doc: "Energy that virtual CPUs use." }),
		memorytune: list(memorytune, { doc: "Host memory bandwidth that virtual CPUs get." }),
	},
	{
		onRead(value, node) {
			for (const one of [value.emulatorsched, ...value.vcpusched, ...value.iothreadsched])
				if (one && REAL_TIME.has(one.scheduler) && one.priority === undefined)
					throw documentError(node, `scheduler '${one.scheduler}' needs attribute 'priority'`);
			value.vcpupin.sort((a, b) => a.vcpu - b.vcpu);
			value.vcpusched = eachThread(value.vcpusched, "vcpus");
			value.iothreadsched = eachThread(value.iothreadsched, "iothreads");
		},
	},
);

export type CputuneDef = Infer<typeof cputune>;
