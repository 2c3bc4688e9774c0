// Commands for what a domain may use: memory, vCPUs, pinning, scheduling.

import type { Domain, VcpuInfo } from "@virtkit/client/sdk/domain";
import { decodeCpuMap } from "@virtkit/protocol/cpu-map";
import type { TypedParameter } from "@virtkit/protocol/types/typed-parameter";
import { formatNumberSet } from "@virtkit/xml/bitmap";
import { CommandError, orFail } from "../context.ts";
import { flag, namedNumber, needed, neededNumber, optionalNumber, rest } from "../grammar/command.ts";
import { parseKib } from "../output/size.ts";
import { formatValue, parseParameter } from "../output/typed-parameter.ts";
import {
	affected,
	affectFlags,
	affectOptions,
	type CliCommand,
	declare,
	domainOption,
	exclusive,
	liveFirstOptions,
	requires,
} from "./declare.ts";
import { hostCpus } from "./pinning.ts";

function memoryCommand(name: string, summary: string, maximum: boolean): CliCommand {
	return declare({
		name,
		summary,
		description: maximum
			? "Change the maximum memory allocation limit in the guest domain."
			: "Change the current memory allocation in the guest domain.",
		options: {
			domain: domainOption(),
			size: needed("new memory size, as scaled integer (default KiB)", { alias: "kilobytes", scaled: true }),
			...affectOptions,
		},
		async run(context, args) {
			const affect = affected(args);
			const domain = await context.domain(args.domain);
			// Unless told where, the running guest's memory changes, but the maximum of whatever the domain is now.
			const live = affect.live || !(maximum || affect.config || args.current);
			const change = domain.setMemory(parseKib(args.size, "size"), { ...affect, live, maximum });
			await (maximum ? orFail("Unable to change MaxMemorySize", change) : change);
		},
	});
}

const setvcpus = declare({
	name: "setvcpus",
	summary: "change number of virtual CPUs",
	description: "Change the number of virtual CPUs in the guest domain.",
	options: {
		domain: domainOption(),
		count: neededNumber("number of virtual CPUs"),
		maximum: flag("set maximum limit on next boot"),
		...affectOptions,
		guest: flag("modify cpu state in the guest"),
		hotpluggable: flag("make added vcpus hot(un)pluggable"),
	},
	async run(context, args) {
		const affect = affected(args);
		exclusive(args, "guest", "config");
		requires(args, "maximum", "config");
		const domain = await context.domain(args.domain);
		if (args.count === 0) throw new CommandError("Can't set 0 processors for a VM");
		const { maximum, guest, hotpluggable } = args;
		if (!(args.current || affect.live || affect.config || maximum || guest || hotpluggable))
			return domain.call("DOMAIN_SET_VCPUS", { nvcpus: args.count });
		await domain.setVcpus(args.count, { ...affect, maximum, guest, hotpluggable });
	},
});

const vcpucount = declare({
	name: "vcpucount",
	summary: "domain vcpu counts",
	description: "Returns the number of virtual CPUs used by the domain.",
	options: {
		domain: domainOption(),
		maximum: flag("get maximum count of vcpus"),
		active: flag("get number of currently active vcpus"),
		...liveFirstOptions,
		guest: flag("retrieve vcpu count from the guest instead of the hypervisor"),
	},
	async run(context, args) {
		exclusive(args, "live", "config");
		// What `--current` meant before it meant the domain's current state.
		const affect = affected({ ...args, current: args.current && (args.maximum || args.active) });
		exclusive(args, "active", "maximum");
		exclusive(args, "guest", "config");
		const domain = await context.domain(args.domain);
		if (args.maximum || args.active || args.config || args.live || args.current || args.guest)
			return context.print(String(await domain.vcpuCount({ ...affect, maximum: args.maximum, guest: args.guest })));
		const rows: [string, string, string][] = [];
		const [active, persistent] = await Promise.all([domain.isActive(), domain.isPersistent()]);
		for (const which of ["maximum", "current"] as const)
			for (const where of ["config", "live"] as const) {
				if (!(where === "live" ? active : persistent)) continue;
				const count = await domain.vcpuCount({ [where]: true, maximum: which === "maximum" });
				if (count > 0) rows.push([which, where, String(count)]);
			}
		if (context.options.json) return context.table(["which", "where", "count"], rows);
		for (const [which, where, count] of rows)
			context.print(`${which.padEnd(12)} ${where.padEnd(12)} ${count.padStart(3)}`);
	},
});

const vcpuinfo = declare({
	name: "vcpuinfo",
	summary: "detailed domain vcpu information",
	description: "Returns basic information about the domain virtual CPUs.",
	options: { domain: domainOption("active-domain"), pretty: flag("return human readable output") },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const present = await hostCpus(context);
		const { state } = await domain.info();
		const all = await domain.vcpus(present).catch((error: unknown) => {
			if (state === "shutoff") return undefined;
			throw error;
		});
		const shown = all ? all.map(vcpuFacts) : await inactiveVcpuFacts(domain, present);
		if (context.options.json)
			return context.print(
				JSON.stringify(
					shown.map(({ facts, affinity }) => ({
						...Object.fromEntries(facts.map(([title, value]) => [title.toLowerCase().replaceAll(" ", "_"), value])),
						affinity: formatNumberSet(affinity),
					})),
					undefined,
					2,
				),
			);
		for (const [index, { facts, affinity }] of shown.entries()) {
			if (index > 0) context.print("");
			// virsh leaves out the colon where an inactive domain has no time.
			for (const [title, value] of facts)
				context.print(`${`${title}${all || title !== "CPU time" ? ":" : ""}`.padEnd(15)} ${value}`);
			const map = args.pretty
				? `${formatNumberSet(affinity)} (out of ${present})`
				: Array.from({ length: present }, (_, cpu) => (affinity.includes(cpu) ? "y" : "-")).join("");
			context.print(`${"CPU Affinity:".padEnd(15)} ${map}`);
		}
	},
});

interface VcpuFacts {
	readonly facts: readonly (readonly [title: string, value: string])[];
	readonly affinity: readonly number[];
}

function vcpuFacts({ number, cpu, state, cpuTime, affinity }: VcpuInfo): VcpuFacts {
	return {
		facts: [
			["VCPU", String(number)],
			["CPU", String(cpu)],
			["State", state],
			...(cpuTime === 0n ? [] : [["CPU time", `${(Number(cpuTime) / 1e9).toFixed(1)}s`] as const]),
		],
		affinity,
	};
}

/** Of a domain that is not running, only the pinning of its next start is known. */
async function inactiveVcpuFacts(domain: Domain, present: number): Promise<VcpuFacts[]> {
	const maplen = Math.ceil(present / 8);
	const count = await domain.vcpuCount({ config: true });
	const ncpumaps = await domain.vcpuCount({ config: true, maximum: true });
	const { cpumaps } = await domain.call("DOMAIN_GET_VCPU_PIN_INFO", { ncpumaps, maplen, flags: 2 });
	return Array.from({ length: count }, (_, vcpu) => ({
		facts: [
			["VCPU", String(vcpu)],
			["CPU", "N/A"],
			["State", "N/A"],
			["CPU time", "N/A"],
		],
		affinity: decodeCpuMap(cpumaps.subarray(vcpu * maplen, (vcpu + 1) * maplen)),
	}));
}

/** virTypedParameterType in words. */
const typeName = ({ value: { type } }: TypedParameter): string =>
	["", "int", "unsigned int", "long long", "unsigned long long", "double", "boolean", "string"][type] ?? "unknown";

/** `name=value` as the parameter of the type that the daemon has it in. */
function setting(spelled: string, known: readonly TypedParameter[]): TypedParameter {
	const equals = spelled.indexOf("=");
	if (equals === -1) throw new CommandError("Invalid syntax for --set, expecting name=value");
	const [name, given] = [spelled.slice(0, equals), spelled.slice(equals + 1)];
	const like = known.find(({ field }) => field === name);
	if (!like) throw new CommandError(`invalid scheduler option: ${name}`);
	const parameter = parseParameter(name, like.value.type, given);
	if (!parameter)
		throw new CommandError(`invalid argument: Invalid value for field '${name}': expected ${typeName(like)}`);
	return parameter;
}

const schedinfo = declare({
	name: "schedinfo",
	summary: "show/set scheduler parameters",
	description: "Show/Set scheduler parameters.",
	options: {
		domain: domainOption(),
		weight: namedNumber("weight for XEN_CREDIT"),
		cap: namedNumber("cap for XEN_CREDIT"),
		current: affectOptions.current,
		config: affectOptions.config,
		live: affectOptions.live,
		set: rest("parameter=value"),
	},
	async run(context, args) {
		const flags = affectFlags(args);
		const domain = await context.domain(args.domain);
		const { type, nparams } = await domain.call("DOMAIN_GET_SCHEDULER_TYPE", {});
		context.print(`${"Scheduler".padEnd(15)}: ${type}`);
		// Both at once can be set, but not asked.
		const queryFlags = args.config && args.live ? 0 : flags;
		const read = async (): Promise<TypedParameter[]> =>
			(await domain.call("DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS", { nparams, flags: queryFlags })).params;
		const known = await read();
		const set = [
			...args.set,
			...(args.cap === undefined ? [] : [`cap=${args.cap}`]),
			...(args.weight === undefined ? [] : [`weight=${args.weight}`]),
		];
		if (set.length > 0)
			await domain.setSchedulerParameters(
				set.map((spelled) => setting(spelled, known)),
				affected(args),
			);
		else if (args.live && args.config) throw new CommandError("cannot query both live and config at once");
		for (const parameter of set.length > 0 ? await read() : known)
			context.print(`${parameter.field.padEnd(15)}: ${formatValue(parameter)}`);
	},
});

/** Nanoseconds as seconds, in the width that virsh gives them. */
const formatSeconds = (nanoseconds: bigint): string =>
	`${String(nanoseconds / 1_000_000_000n).padStart(9)}.${String(nanoseconds % 1_000_000_000n).padStart(9, "0")}`;

const cpuStats = declare({
	name: "cpu-stats",
	summary: "show domain cpu statistics",
	description: "Display per-CPU and total statistics about the domain's CPUs",
	options: {
		domain: domainOption("active-domain"),
		total: flag("Show total statistics only"),
		start: optionalNumber("Show statistics from this CPU"),
		count: optionalNumber("Number of shown CPUs at most"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		if ((args.start ?? 0) < 0) throw new CommandError("Invalid value for start CPU");
		if ((args.count ?? 0) < 0) throw new CommandError("Invalid value for number of CPUs to show");
		const some = args.start !== undefined || args.count !== undefined;
		const read = async (nparams: number, startCpu: number, ncpus: number) =>
			orFail(
				`Failed to retrieve CPU statistics for domain '${domain.name}'`,
				domain.call("DOMAIN_GET_CPU_STATS", { nparams, startCpu, ncpus, flags: 0 }),
			);
		const print = (title: string, params: readonly TypedParameter[]): void => {
			context.print(title);
			for (const { field, value } of params)
				context.print(`\t${field.padEnd(12)} ${formatSeconds(BigInt(Number(value.value)))} seconds`);
		};
		if (some || !args.total) {
			const first = args.start ?? 0;
			const present = (await read(0, 0, 0)).nparams;
			if (first >= present) throw new CommandError(`Start CPU ${first} is out of range (min: 0, max: ${present - 1})`);
			const wanted = args.count ?? present;
			if (wanted > present) context.print(`Only ${present} CPUs available to show`);
			const count = args.count === undefined || wanted > present ? present - first : wanted;
			const { nparams } = await read(0, 0, 1);
			// One call answers for 128 processors at most.
			for (let done = 0; done < count; done += 128) {
				const { params } = await read(nparams, first + done, Math.min(128, count - done));
				for (let cpu = 0; cpu * nparams < params.length; cpu++)
					print(`CPU${first + done + cpu}:`, params.slice(cpu * nparams, (cpu + 1) * nparams));
			}
		}
		if (some && !args.total) return;
		const { nparams } = await read(0, -1, 1);
		print("Total:", (await read(nparams, -1, 1)).params);
	},
});

export const tuningCommands: readonly CliCommand[] = [
	memoryCommand("setmem", "change memory allocation", false),
	memoryCommand("setmaxmem", "change maximum memory limit", true),
	setvcpus,
	vcpucount,
	vcpuinfo,
	schedinfo,
	cpuStats,
];
