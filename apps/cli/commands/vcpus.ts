// Shows a guest's vCPUs as what they are on the host: threads.

import type { Domain } from "@virtkit/client/sdk/domain";
import { formatNumberSet } from "@virtkit/xml/bitmap";
import { CommandError } from "../context.ts";
import { type CliCommand, declare, domainOption } from "./declare.ts";
import { hostCpus } from "./pinning.ts";

/** virDomainStatsTypes: the group with what the host's scheduler says of each vCPU. */
const STATS_VCPU = 8;

const seconds = (nanoseconds: bigint | undefined): string =>
	nanoseconds === undefined ? "-" : `${(Number(nanoseconds) / 1e9).toFixed(3)}s`;

/** Numbers of the threads by vCPU, from QEMU's monitor; none where that cannot be asked, such as read-only. */
async function threadsOf(domain: Domain): Promise<ReadonlyMap<number, number>> {
	try {
		const answer = JSON.parse(await domain.monitorCommand('{"execute":"query-cpus-fast"}')) as {
			return: { "cpu-index": number; "thread-id": number }[];
		};
		return new Map(answer.return.map((one) => [one["cpu-index"], one["thread-id"]]));
	} catch {
		return new Map();
	}
}

const vcpus = declare({
	name: "vcpus",
	summary: "show the threads of a guest's vCPUs",
	description:
		"Lists each vCPU with its thread on the host, its state, the host CPU that it ran on last, the CPUs that it may run on, the time it ran, and the time it was ready to run but had to wait.",
	options: { domain: domainOption("active-domain") },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		if (!(await domain.isActive())) throw new CommandError("Domain is not running");
		const { rpc } = await context.connection;
		const [all, threads, { retStats }] = await Promise.all([
			domain.vcpus(await hostCpus(context)),
			threadsOf(domain),
			rpc.call("CONNECT_GET_ALL_DOMAIN_STATS", { doms: [domain.ref], stats: STATS_VCPU, flags: 0 }),
		]);
		const stats = new Map(retStats[0]?.params.map(({ field, value }) => [field, value.value]));
		const delay = (vcpu: number): bigint | undefined => {
			const value = stats.get(`vcpu.${vcpu}.delay`);
			return typeof value === "bigint" ? value : undefined;
		};
		context.table(
			["VCPU", "Thread", "State", "CPU", "Affinity", "CPU time", "Run delay"],
			all.map(({ number, state, cpu, affinity, cpuTime }) => [
				String(number),
				String(threads.get(number) ?? "-"),
				state,
				cpu < 0 ? "-" : String(cpu),
				formatNumberSet(affinity),
				seconds(cpuTime),
				seconds(delay(number)),
			]),
		);
	},
});

export const vcpuCommands: readonly CliCommand[] = [vcpus];
