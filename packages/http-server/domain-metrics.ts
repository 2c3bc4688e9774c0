// The metrics of domains: one row a statistic of libvirt's, with the name, unit and type that Prometheus's conventions give it.

import type { MetricHead, MetricType } from "./exposition.ts";

/** How a statistic's value becomes one in a base unit of Prometheus's. */
export type Unit = "as it is" | "KiB to bytes" | "MiB to bytes" | "ns to seconds";

/** A metric and the statistic it comes from. */
export interface DomainMetric extends MetricHead {
	/** libvirt's name of the statistic; `*` stands for the number of a device or for a name that becomes a label. */
	readonly statistic: string;
	readonly unit: Unit;
}

/** Labels that every metric of a domain has. */
export const DOMAIN_LABELS = ["domain", "uuid"] as const;

/**
 * Statistics with a `*` by what stands before it: the label that tells the devices apart, and the statistic that names a
 * device where its number does not.
 */
export const DEVICE_LABELS: Readonly<Record<string, { readonly label: string; readonly named: boolean }>> = {
	vcpu: { label: "vcpu", named: false },
	net: { label: "interface", named: true },
	block: { label: "device", named: true },
	iothread: { label: "iothread", named: false },
};

function row(statistic: string, name: string, type: MetricType, unit: Unit, help: string): DomainMetric {
	const [group = "", star] = statistic.split(".");
	const device = star === "*" ? DEVICE_LABELS[group]?.label : undefined;
	const last = statistic.endsWith(".*.sum") || statistic.endsWith(".*.cur") ? ["statistic"] : [];
	const labels = [...DOMAIN_LABELS, ...(device === undefined ? [] : [device]), ...last];
	return { statistic, name: `virtkit_domain_${name}`, type, unit, help, labels };
}

const counter = (statistic: string, name: string, unit: Unit, help: string): DomainMetric =>
	row(statistic, `${name}_total`, "counter", unit, help);
const gauge = (statistic: string, name: string, unit: Unit, help: string): DomainMetric =>
	row(statistic, name, "gauge", unit, help);

const SECONDS = "ns to seconds";
const PLAIN = "as it is";
const KIB = "KiB to bytes";

const USAGE: readonly DomainMetric[] = [
	gauge(
		"state.state",
		"state",
		PLAIN,
		"State as libvirt numbers it: 1 running, 3 paused, 4 shutting down, 5 shut off, 6 crashed, 7 asleep.",
	),
	counter("cpu.time", "cpu_seconds", SECONDS, "CPU time of the guest and of QEMU for it."),
	counter(
		"cpu.user",
		"cpu_user_seconds",
		SECONDS,
		"The part of the CPU time in user mode, which includes KVM guests' own.",
	),
	counter("cpu.system", "cpu_system_seconds", SECONDS, "The part of the CPU time in the host's kernel."),
	counter(
		"cpu.haltpoll.success.time",
		"cpu_haltpoll_success_seconds",
		SECONDS,
		"Time that idle vCPUs polled for work which then came.",
	),
	counter(
		"cpu.haltpoll.fail.time",
		"cpu_haltpoll_fail_seconds",
		SECONDS,
		"Time that idle vCPUs polled for work which did not come.",
	),
	gauge("balloon.current", "memory_balloon_bytes", KIB, "Memory that the guest has, less what its balloon holds back."),
	gauge("balloon.maximum", "memory_maximum_bytes", KIB, "Memory that the guest may have."),
	gauge("balloon.rss", "memory_rss_bytes", KIB, "Memory of the host's that QEMU has resident."),
	gauge("balloon.unused", "memory_unused_bytes", KIB, "Memory that the guest does not use at all."),
	gauge("balloon.available", "memory_available_bytes", KIB, "Memory that the guest's kernel manages."),
	gauge("balloon.usable", "memory_usable_bytes", KIB, "Memory that the balloon could take without the guest swapping."),
	gauge("balloon.disk_caches", "memory_disk_caches_bytes", KIB, "Memory that the guest could free by dropping caches."),
	counter("balloon.swap_in", "memory_swap_in_bytes", KIB, "Memory that the guest read from its swap."),
	counter("balloon.swap_out", "memory_swap_out_bytes", KIB, "Memory that the guest wrote to its swap."),
	counter("balloon.major_fault", "memory_major_faults", PLAIN, "Page faults of the guest that needed its disk."),
	counter("balloon.minor_fault", "memory_minor_faults", PLAIN, "Page faults of the guest that did not."),
	counter("balloon.hugetlb_pgalloc", "memory_hugetlb_allocations", PLAIN, "Huge pages that the guest allocated."),
	counter(
		"balloon.hugetlb_pgfail",
		"memory_hugetlb_failures",
		PLAIN,
		"Huge pages that the guest wanted and did not get.",
	),
	gauge("balloon.last-update", "memory_update_timestamp_seconds", PLAIN, "When the guest told its own memory figures."),
	gauge("vcpu.current", "vcpus", PLAIN, "Virtual CPUs that the guest has."),
	gauge("vcpu.maximum", "vcpus_maximum", PLAIN, "Virtual CPUs that it may have."),
	gauge("vcpu.*.state", "vcpu_state", PLAIN, "State of a vCPU: 0 offline, 1 running, 2 blocked."),
	counter("vcpu.*.time", "vcpu_seconds", SECONDS, "CPU time of the vCPU's thread."),
	counter(
		"vcpu.*.wait",
		"vcpu_wait_seconds",
		SECONDS,
		"Time that the thread waited in the scheduler, where the kernel tells.",
	),
	counter("vcpu.*.delay", "vcpu_delay_seconds", SECONDS, "Time that the thread was ready to run and had no host CPU."),
	counter("vcpu.*.*.sum", "vcpu_kvm", PLAIN, "KVM's counters of the vCPU, such as exits."),
	gauge("vcpu.*.*.cur", "vcpu_kvm_current", PLAIN, "KVM's momentary figures of the vCPU."),
	counter("vm.*.sum", "kvm", PLAIN, "KVM's counters of the guest."),
	gauge("vm.*.cur", "kvm_current", PLAIN, "KVM's momentary figures of the guest."),
];

const DEVICES: readonly DomainMetric[] = [
	counter("net.*.rx.bytes", "interface_receive_bytes", PLAIN, "Bytes that the guest received."),
	counter("net.*.rx.pkts", "interface_receive_packets", PLAIN, "Packets that it received."),
	counter("net.*.rx.errs", "interface_receive_errors", PLAIN, "Packets to it that were damaged."),
	counter("net.*.rx.drop", "interface_receive_dropped", PLAIN, "Packets to it that were dropped."),
	counter("net.*.tx.bytes", "interface_transmit_bytes", PLAIN, "Bytes that the guest sent."),
	counter("net.*.tx.pkts", "interface_transmit_packets", PLAIN, "Packets that it sent."),
	counter("net.*.tx.errs", "interface_transmit_errors", PLAIN, "Packets of it that were damaged."),
	counter("net.*.tx.drop", "interface_transmit_dropped", PLAIN, "Packets of it that were dropped."),
	counter("block.*.rd.reqs", "block_read_requests", PLAIN, "Reads of the disk."),
	counter("block.*.rd.bytes", "block_read_bytes", PLAIN, "Bytes read."),
	counter("block.*.rd.times", "block_read_seconds", SECONDS, "Time that reads took together."),
	counter("block.*.wr.reqs", "block_write_requests", PLAIN, "Writes to the disk."),
	counter("block.*.wr.bytes", "block_write_bytes", PLAIN, "Bytes written."),
	counter("block.*.wr.times", "block_write_seconds", SECONDS, "Time that writes took together."),
	counter("block.*.fl.reqs", "block_flush_requests", PLAIN, "Flushes of the disk."),
	counter("block.*.fl.times", "block_flush_seconds", SECONDS, "Time that flushes took together."),
	gauge("block.*.allocation", "block_allocation_bytes", PLAIN, "Up to where the image is written."),
	gauge("block.*.capacity", "block_capacity_bytes", PLAIN, "Size of the disk as the guest sees it."),
	gauge("block.*.physical", "block_physical_bytes", PLAIN, "Room that the image takes on the host."),
	gauge(
		"block.*.threshold",
		"block_threshold_bytes",
		PLAIN,
		"Offset whose first write is told as an event, where one is set.",
	),
	gauge(
		"iothread.*.poll-max-ns",
		"iothread_poll_maximum_seconds",
		SECONDS,
		"Longest time that the I/O thread polls for work.",
	),
	gauge(
		"dirtyrate.megabytes_per_second",
		"dirty_bytes_per_second",
		"MiB to bytes",
		"How fast the guest writes memory, as measured last.",
	),
];

/** The host's performance counters, of guests for which they are turned on (`virsh perf`). */
const PERF: readonly DomainMetric[] = [
	gauge("perf.cmt", "perf_cache_bytes", PLAIN, "Last-level cache that the guest occupies."),
	counter("perf.mbmt", "perf_memory_bandwidth", PLAIN, "Memory traffic of the guest, as the processor counts it."),
	counter("perf.mbml", "perf_memory_bandwidth_local", PLAIN, "The part of it within a NUMA node."),
	counter("perf.cpu_clock", "perf_cpu_clock_seconds", SECONDS, "Time by the processor's clock."),
	counter("perf.task_clock", "perf_task_clock_seconds", SECONDS, "Time that the guest's threads ran."),
	...[
		["cpu_cycles", "Cycles of host CPUs."],
		["instructions", "Instructions carried out."],
		["cache_references", "Accesses of the cache."],
		["cache_misses", "Accesses that the cache could not serve."],
		["branch_instructions", "Branches."],
		["branch_misses", "Branches that were predicted wrongly."],
		["bus_cycles", "Cycles of the bus."],
		["stalled_cycles_frontend", "Cycles without an instruction to issue."],
		["stalled_cycles_backend", "Cycles in which none could be finished."],
		["ref_cpu_cycles", "Cycles, whatever the clock's frequency was."],
		["page_faults", "Page faults of QEMU's process."],
		["page_faults_min", "Those that needed no disk."],
		["page_faults_maj", "Those that did."],
		["context_switches", "Switches to another thread."],
		["cpu_migrations", "Moves to another host CPU."],
		["alignment_faults", "Accesses that the kernel had to align."],
		["emulation_faults", "Instructions that the kernel had to emulate."],
	].map(([name = "", help = ""]) => counter(`perf.${name}`, `perf_${name}`, PLAIN, help)),
];

/** All of them, in the order they are written. */
export const DOMAIN_METRICS: readonly DomainMetric[] = [...USAGE, ...DEVICES, ...PERF];
