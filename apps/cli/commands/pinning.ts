// Commands that say which host CPUs the threads of a guest may run on, and those for its I/O threads.

import type { Domain } from "@virtkit/client/sdk/domain";
import { decodeCpuMap, encodeCpuMap } from "@virtkit/protocol/cpu-map";
import type { TypedParameter } from "@virtkit/protocol/types/typed-parameter";
import { formatNumberSet, parseNumberSet } from "@virtkit/xml/bitmap";
import { type CliContext, CommandError, orFail } from "../context.ts";
import { type Arguments, needed, neededNumber, optional, optionalNumber } from "../grammar/command.ts";
import { PARAMETER_TYPE, ullong } from "../output/typed-parameter.ts";
import { affectFlags, affectOptions, type CliCommand, declare, domainOption, exclusive } from "./declare.ts";

/** How many CPUs the host has, also those that are off. */
export async function hostCpus(context: CliContext): Promise<number> {
	const { rpc } = await context.connection;
	return (await rpc.call("NODE_GET_CPU_MAP", { needMap: 0, needOnline: 0, flags: 0 })).ret;
}

/** A map of host CPUs from a list of them; what begins with `r` means all. Throws in virsh's words. */
function cpuMapOf(spelled: string, present: number): Uint8Array {
	if (spelled.startsWith("r")) return encodeCpuMap(Array.from({ length: present }, (_, cpu) => cpu));
	const cpus = parseNumberSet(spelled);
	if (!cpus)
		throw new CommandError(`Invalid cpulist '${spelled}'`, {
			cause: new Error(`invalid argument: Failed to parse bitmap '${spelled}'`),
		});
	if (cpus.length === 0) throw new CommandError(`Invalid cpulist '${spelled}'`);
	const last = Math.max(...cpus);
	if (last >= present) throw new CommandError(`CPU ${last} in cpulist '${spelled}' exceed the maxcpu ${present}`);
	return encodeCpuMap(cpus);
}

const cpulist = optional("host CPUs to set; without it they are shown", { emptyAllowed: true });

const vcpupin = declare({
	name: "vcpupin",
	summary: "control or query domain vcpu affinity",
	description: "Pin domain VCPUs to host physical CPUs.",
	options: { domain: domainOption(), vcpu: optionalNumber("vcpu number"), cpulist, ...affectOptions },
	async run(context, args) {
		const flags = affectFlags(args);
		if (args.cpulist === undefined) exclusive(args, "live", "config");
		else if (args.vcpu === undefined) throw new CommandError("vcpupin: Missing vCPU number in pin mode.");
		const present = await hostCpus(context);
		const domain = await context.domain(args.domain);
		const { vcpu } = args;
		if (args.cpulist === undefined || vcpu === undefined) return showVcpuPins(context, domain, vcpu, present, flags);
		const cpumap = cpuMapOf(args.cpulist, present);
		if (flags === 0 && !args.current) return domain.call("DOMAIN_PIN_VCPU", { vcpu, cpumap });
		return domain.call("DOMAIN_PIN_VCPU_FLAGS", { vcpu, cpumap, flags });
	},
});

async function showVcpuPins(
	context: CliContext,
	domain: Domain,
	vcpu: number | undefined,
	present: number,
	flags: number,
): Promise<void> {
	const [live, config] = [(flags & 1) !== 0, (flags & 2) !== 0];
	const active = await domain.isActive();
	if (live && !active) throw new CommandError("cannot get vcpupin for offline domain");
	if (config && !(await domain.isPersistent())) throw new CommandError("cannot get vcpupin for transient domain");
	const ncpumaps = await domain.vcpuCount({ live, config, maximum: true });
	if (vcpu !== undefined && vcpu >= ncpumaps) {
		const which = live || (!config && active) ? "live" : "persistent";
		throw new CommandError(`vcpu ${vcpu} is out of range of ${which} cpu count ${ncpumaps}`);
	}
	const maplen = Math.ceil(present / 8);
	const { cpumaps, num } = await domain.call("DOMAIN_GET_VCPU_PIN_INFO", { ncpumaps, maplen, flags });
	const rows = Array.from({ length: num }, (_, index) => [
		String(index),
		formatNumberSet(decodeCpuMap(cpumaps.subarray(index * maplen, (index + 1) * maplen))),
	]);
	context.table(["VCPU", "CPU Affinity"], vcpu === undefined ? rows : rows.slice(vcpu, vcpu + 1));
}

const emulatorpin = declare({
	name: "emulatorpin",
	summary: "control or query domain emulator affinity",
	description: "Pin domain emulator threads to host physical CPUs.",
	options: { domain: domainOption(), cpulist, ...affectOptions },
	async run(context, args) {
		const flags = affectFlags(args);
		const domain = await context.domain(args.domain);
		const present = await hostCpus(context);
		if (args.cpulist !== undefined) {
			const where = flags === 0 && !args.current ? 1 : flags;
			return domain.call("DOMAIN_PIN_EMULATOR", { cpumap: cpuMapOf(args.cpulist, present), flags: where });
		}
		const { cpumaps } = await domain.call("DOMAIN_GET_EMULATOR_PIN_INFO", { maplen: Math.ceil(present / 8), flags });
		const affinity = formatNumberSet(decodeCpuMap(cpumaps));
		if (context.options.json) return context.facts([["affinity", affinity]], 0);
		context.sayInline(`emulator: CPU Affinity\n----------------------------------\n       *: `);
		context.print(affinity);
	},
});

const iothreadinfo = declare({
	name: "iothreadinfo",
	summary: "view domain IOThreads",
	description: "Shows a domain's I/O threads and the host CPUs that they may run on.",
	options: { domain: domainOption(), ...affectOptions },
	async run(context, args) {
		const flags = affectFlags(args);
		const domain = await context.domain(args.domain);
		const { info } = await orFail(
			"Unable to get domain IOThreads information",
			domain.call("DOMAIN_GET_IOTHREAD_INFO", { flags }),
		);
		if (info.length === 0 && !context.options.json) return context.sayInline("No IOThreads found for the domain");
		context.table(
			["IOThread ID", "CPU Affinity"],
			info.map(({ iothreadId, cpumap }) => [String(iothreadId), formatNumberSet(decodeCpuMap(cpumap))]),
		);
	},
});

const iothreadpin = declare({
	name: "iothreadpin",
	summary: "control domain IOThread affinity",
	description: "Pins an I/O thread of a domain to host CPUs.",
	options: {
		domain: domainOption(),
		iothread: neededNumber("number of the I/O thread", { completes: "iothread" }),
		cpulist: needed("host CPUs that it may run on"),
		...affectOptions,
	},
	async run(context, args) {
		const flags = affectFlags(args);
		const domain = await context.domain(args.domain);
		const cpumap = cpuMapOf(args.cpulist, await hostCpus(context));
		await domain.call("DOMAIN_PIN_IOTHREAD", { iothreadsId: args.iothread, cpumap, flags });
	},
});

function checkedId(id: number): number {
	if (id <= 0) throw new CommandError(`Invalid IOThread id value: '${id}'`);
	return id;
}

/** Adding and deleting differ in the call alone. */
function iothreadCommand(verb: "add" | "del", procedure: "DOMAIN_ADD_IOTHREAD" | "DOMAIN_DEL_IOTHREAD"): CliCommand {
	const word = verb === "add" ? "add" : "delete";
	return declare({
		name: `iothread${verb}`,
		summary: `${word} an IOThread of the domain`,
		description: `${verb === "add" ? "Adds" : "Deletes"} an I/O thread of a domain.`,
		options: {
			domain: domainOption(),
			id: neededNumber("number of the I/O thread", { completes: "iothread" }),
			...affectOptions,
		},
		async run(context, args) {
			const flags = affectFlags(args);
			const domain = await context.domain(args.domain);
			await domain.call(procedure, { iothreadId: checkedId(args.id), flags });
		},
	});
}

const settings = {
	"poll-max-ns": optionalNumber("longest time that it polls, in nanoseconds"),
	"poll-grow": optionalNumber("factor by which polling grows; 0 is QEMU's own"),
	"poll-shrink": optionalNumber("divisor by which polling shrinks; 0 is QEMU's own"),
	"thread-pool-min": optionalNumber("fewest threads of its pool"),
	"thread-pool-max": optionalNumber("most threads of its pool"),
} as const;

/** libvirt's parameters from the options given: the name with underscores, each of its own type. */
function iothreadParameters(args: Arguments<typeof settings>): TypedParameter[] {
	return Object.keys(settings).flatMap((name): TypedParameter[] => {
		const value = args[name as keyof typeof settings];
		if (value === undefined) return [];
		const field = name.replaceAll("-", "_");
		if (name === "poll-max-ns") return [ullong(field, value)];
		return [{ field, value: { type: name.startsWith("poll") ? PARAMETER_TYPE.uint : PARAMETER_TYPE.int, value } }];
	});
}

const iothreadset = declare({
	name: "iothreadset",
	summary: "modifies an existing IOThread of the domain",
	description: "Changes how an I/O thread of a running domain polls and how many helpers it has.",
	options: {
		domain: domainOption(),
		id: neededNumber("number of the I/O thread", { completes: "iothread" }),
		...settings,
		...affectOptions,
	},
	async run(context, args) {
		const flags = affectFlags(args);
		const domain = await context.domain(args.domain);
		const iothreadId = checkedId(args.id);
		const params = iothreadParameters(args);
		if (params.length === 0) throw new CommandError("Not enough arguments passed, nothing to set");
		await domain.call("DOMAIN_SET_IOTHREAD_PARAMS", { iothreadId, params, flags });
	},
});

export const pinningCommands: readonly CliCommand[] = [
	vcpupin,
	emulatorpin,
	iothreadinfo,
	iothreadpin,
	iothreadCommand("add", "DOMAIN_ADD_IOTHREAD"),
	iothreadset,
	iothreadCommand("del", "DOMAIN_DEL_IOTHREAD"),
];
