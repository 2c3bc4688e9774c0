// Performance counters that the host collects for the guest.

import { oneOf, yesNo } from "@virtkit/xml/codec";
import { documentError } from "@virtkit/xml/read";
import { attr, element, type Infer, list } from "@virtkit/xml/schema";

/** Names of the events, in the order they are written. */
export const PERF_EVENTS = [
	"cmt",
	"mbmt",
	"mbml",
	"cpu_cycles",
	"instructions",
	"cache_references",
	"cache_misses",
	"branch_instructions",
	"branch_misses",
	"bus_cycles",
	"stalled_cycles_frontend",
	"stalled_cycles_backend",
	"ref_cpu_cycles",
	"cpu_clock",
	"task_clock",
	"page_faults",
	"context_switches",
	"cpu_migrations",
	"page_faults_min",
	"page_faults_maj",
	"alignment_faults",
	"emulation_faults",
] as const;

export const perf = element(
	{
		event: list(
			element({
				name: attr(oneOf(...PERF_EVENTS), { required: true, doc: "Which counter." }),
				enabled: attr(yesNo, { required: true, doc: "Whether it is collected." }),
			}),
		),
	},
	{
		onRead(value, node) {
			value.event.sort((a, b) => PERF_EVENTS.indexOf(a.name) - PERF_EVENTS.indexOf(b.name));
			const twice = value.event.find((event, index) => event.name === value.event[index + 1]?.name);
			if (twice) throw documentError(node, `perf event '${twice.name}' is given more than once`);
		},
	},
);

export type PerfDef = Infer<typeof perf>;
