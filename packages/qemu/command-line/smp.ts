// `-smp` and the I/O threads.

import { maxVcpus, onlineVcpus } from "../defaults/vcpus.ts";
import type { BuildContext } from "../devices/entry.ts";

/** `-smp`: CPUs at start, CPUs that can be plugged, topology. */
export function buildSmp({ command, def, caps }: BuildContext): void {
	const max = maxVcpus(def);
	// CPUs that can be unplugged again are plugged one by one once the guest is there.
	const fixed =
		def.vcpus.length > 0
			? def.vcpus.filter(({ enabled, hotpluggable }) => enabled && !hotpluggable).length
			: onlineVcpus(def);
	const { topology } = def.cpu ?? {};
	const dies = caps.hasSchema("query-hotpluggable-cpus/ret-type/props/die-id") ? [`dies=${topology?.dies ?? 1}`] : [];
	const clusters = topology?.clusters === undefined ? [] : [`clusters=${topology.clusters}`];
	const shape = topology
		? [`sockets=${topology.sockets}`, ...dies, ...clusters, `cores=${topology.cores}`, `threads=${topology.threads}`]
		: [`sockets=${max}`, "cores=1", "threads=1"];
	command.from({ element: topology ?? def.vcpu, what: "virtual CPUs" }, () =>
		command.add("-smp", [String(fixed), ...(fixed === max ? [] : [`maxcpus=${max}`]), ...shape].join(",")),
	);
}

/** Objects of I/O threads, and of QEMU's main loop where its pool is limited. */
export function buildIOThreads({ command, def }: BuildContext): void {
	for (const thread of def.iothreadids)
		command.from({ element: thread, what: `I/O thread ${thread.id}` }, () =>
			command.addJson("-object", {
				"qom-type": "iothread",
				id: `iothread${thread.id}`,
				"thread-pool-min": thread.thread_pool_min,
				"thread-pool-max": thread.thread_pool_max,
				"poll-max-ns": thread.poll?.max,
				"poll-grow": thread.poll?.grow,
				"poll-shrink": thread.poll?.shrink,
				"poll-weight": thread.poll?.weight,
			}),
		);
	const { defaultiothread } = def;
	if (defaultiothread)
		command.from({ element: defaultiothread, what: "QEMU's main loop" }, () =>
			command.addJson("-object", {
				"qom-type": "main-loop",
				id: "main-loop",
				"thread-pool-min": defaultiothread.thread_pool_min,
				"thread-pool-max": defaultiothread.thread_pool_max,
			}),
		);
}
