// Commands for what a domain may use: memory, vCPUs, pinning, scheduling.

import { decodeCpuMap, encodeCpuMap } from "@virtkit/protocol/cpu-map";
import type { TypedParameter } from "@virtkit/protocol/types/typed-parameter";
import { formatNumberSet, parseNumberSet } from "@virtkit/xml/bitmap";
import type { CliContext } from "../context.ts";
import { CommandError, orFail } from "../context.ts";
import { flag, namedNumber, needed, neededNumber, optional, optionalNumber, rest } from "../grammar/command.ts";
import { affected, affectOptions, type CliCommand, declare, domainOption } from "./declare.ts";

const UNITS: Readonly<Record<string, bigint>> = {
	"": 1024n,
	b: 1n,
	bytes: 1n,
	k: 1024n,
	kib: 1024n,
	kb: 1000n,
	m: 1024n ** 2n,
	mib: 1024n ** 2n,
	mb: 1000n ** 2n,
	g: 1024n ** 3n,
	gib: 1024n ** 3n,
	gb: 1000n ** 3n,
	t: 1024n ** 4n,
	tib: 1024n ** 4n,
	tb: 1000n ** 4n,
};

/** KiB of a size such as 1048576, 1G, 512MiB; without a unit it is KiB. Rounded up. */
export function parseKib(spelled: string): bigint {
	const match = /^(\d+)\s*([a-z]*)$/i.exec(spelled.trim());
	const unit = match ? UNITS[(match[2] ?? "").toLowerCase()] : undefined;
	if (!match || unit === undefined)
		throw new CommandError(`Scaled numeric value '${spelled}' for <--size> option is malformed or out of range`);
	return (BigInt(match[1] ?? "0") * unit + 1023n) / 1024n;
}

function memoryCommand(name: string, summary: string, maximum: boolean): CliCommand {
	return declare({
		name,
		summary,
		description: maximum
			? "Change the maximum memory allocation limit in the guest domain."
			: "Change the current memory allocation in the guest domain.",
		options: {
			domain: domainOption(),
			size: needed("new memory size, as scaled integer (default KiB)"),
			...affectOptions,
		},
		async run(context, args) {
			const domain = await context.domain(args.domain);
			const change = domain.setMemory(parseKib(args.size), { ...affected(args), maximum });
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
		const options = { ...affected(args), maximum: args.maximum, guest: args.guest, hotpluggable: args.hotpluggable };
		await (await context.domain(args.domain)).setVcpus(args.count, options);
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
		...affectOptions,
		guest: flag("retrieve vcpu count from the guest instead of the hypervisor"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		if (args.maximum || args.active || args.config || args.live || args.current || args.guest)
			return context.print(
				String(await domain.vcpuCount({ ...affected(args), maximum: args.maximum, guest: args.guest })),
			);
		for (const which of ["maximum", "current"] as const)
			for (const where of ["config", "live"] as const) {
				const count = await domain.vcpuCount({ [where]: true, maximum: which === "maximum" }).catch(() => undefined);
				if (count !== undefined) context.print(`${which.padEnd(12)} ${where.padEnd(12)} ${String(count).padStart(3)}`);
			}
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
		const all = await domain.vcpus(present);
		for (const [index, vcpu] of all.entries()) {
			const affinity = args.pretty
				? `${formatNumberSet(vcpu.affinity)} (out of ${present})`
				: Array.from({ length: present }, (_, cpu) => (vcpu.affinity.includes(cpu) ? "y" : "-")).join("");
			context.facts(
				[
					["VCPU", String(vcpu.number)],
					["CPU", String(vcpu.cpu)],
					["State", vcpu.state],
					...(vcpu.cpuTime === 0n ? [] : [["CPU time", `${(Number(vcpu.cpuTime) / 1e9).toFixed(1)}s`] as const]),
					["CPU Affinity", affinity],
				],
				16,
			);
			if (index < all.length - 1) context.print("");
		}
	},
});

async function hostCpus(context: CliContext): Promise<number> {
	const { rpc } = await context.connection;
	return (await rpc.call("NODE_GET_CPU_MAP", { needMap: 0, needOnline: 0, flags: 0 })).ret;
}

/** A CPU list as pinning takes it; `r` means all. */
function cpuList(spelled: string, present: number): number[] {
	const cpus = spelled === "r" ? Array.from({ length: present }, (_, cpu) => cpu) : parseNumberSet(spelled);
	if (!cpus || cpus.length === 0) throw new CommandError(`cpulist: invalid format: '${spelled}'`);
	if (cpus.some((cpu) => cpu >= present))
		throw new CommandError(`Physical CPU ${cpus.find((cpu) => cpu >= present)} doesn't exist.`);
	return cpus;
}

const vcpupin = declare({
	name: "vcpupin",
	summary: "control or query domain vcpu affinity",
	description: "Pin domain VCPUs to host physical CPUs.",
	options: {
		domain: domainOption(),
		vcpu: optionalNumber("vcpu number"),
		cpulist: optional("host cpu number(s) to set, or omit option to query"),
		...affectOptions,
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const present = await hostCpus(context);
		if (args.cpulist !== undefined) {
			if (args.vcpu === undefined) throw new CommandError("vcpupin: vCPU number missing.");
			return domain.pinVcpu(args.vcpu, cpuList(args.cpulist, present), affected(args));
		}
		const maplen = Math.ceil(present / 8);
		const count = await domain.vcpuCount({ ...affected(args), maximum: true });
		const flags = (args.live ? 1 : 0) | (args.config ? 2 : 0);
		const { cpumaps, num } = await domain.call("DOMAIN_GET_VCPU_PIN_INFO", { ncpumaps: count, maplen, flags });
		const rows = Array.from({ length: num }, (_, vcpu) => [
			String(vcpu),
			formatNumberSet(decodeCpuMap(cpumaps.subarray(vcpu * maplen, (vcpu + 1) * maplen))),
		]);
		context.table(["VCPU", "CPU Affinity"], args.vcpu === undefined ? rows : rows.slice(args.vcpu, args.vcpu + 1));
	},
});

const emulatorpin = declare({
	name: "emulatorpin",
	summary: "control or query domain emulator affinity",
	description: "Pin domain emulator threads to host physical CPUs.",
	options: {
		domain: domainOption(),
		cpulist: optional("host cpu number(s) to set, or omit option to query"),
		...affectOptions,
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const present = await hostCpus(context);
		const flags = (args.live ? 1 : 0) | (args.config ? 2 : 0);
		if (args.cpulist !== undefined)
			return domain.call("DOMAIN_PIN_EMULATOR", { cpumap: encodeCpuMap(cpuList(args.cpulist, present)), flags });
		const { cpumaps } = await domain.call("DOMAIN_GET_EMULATOR_PIN_INFO", { maplen: Math.ceil(present / 8), flags });
		context.print("emulator: CPU Affinity");
		context.print("----------------------------------");
		context.print(`       *: ${formatNumberSet(decodeCpuMap(cpumaps))}`);
	},
});

/** `name=value` as the parameter of the type that the daemon has it in. */
function setting(spelled: string, known: readonly TypedParameter[]): TypedParameter {
	const [name = "", text = ""] = spelled.split("=", 2);
	const like = known.find(({ field }) => field === name);
	if (!like) throw new CommandError(`invalid scheduler option: ${name}`);
	if (!/^-?\d+$/.test(text)) throw new CommandError(`invalid value for scheduler option ${name}: '${text}'`);
	const { type } = like.value;
	return {
		field: name,
		value: type === 3 || type === 4 ? { type, value: BigInt(text) } : { type: type === 1 ? 1 : 2, value: Number(text) },
	};
}

const schedinfo = declare({
	name: "schedinfo",
	summary: "show/set scheduler parameters",
	description: "Show/Set scheduler parameters.",
	options: {
		domain: domainOption(),
		weight: namedNumber("weight for XEN_CREDIT"),
		cap: namedNumber("cap for XEN_CREDIT"),
		...affectOptions,
		set: rest("parameter=value"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const flags = (args.live ? 1 : 0) | (args.config ? 2 : 0);
		const { type, nparams } = await domain.call("DOMAIN_GET_SCHEDULER_TYPE", {});
		context.print(`${"Scheduler".padEnd(15)}: ${type}`);
		const read = async (): Promise<TypedParameter[]> =>
			(await domain.call("DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS", { nparams, flags })).params;
		const known = await read();
		if (args.set.length > 0)
			await domain.setSchedulerParameters(
				args.set.map((spelled) => setting(spelled, known)),
				affected(args),
			);
		for (const { field, value } of args.set.length > 0 ? await read() : known)
			context.print(`${field.padEnd(15)}: ${value.value}`);
	},
});

const cpuStats = declare({
	name: "cpu-stats",
	summary: "show domain cpu statistics",
	description: "Display per-CPU and total statistics about the domain's CPUs",
	options: {
		domain: domainOption("active-domain"),
		total: flag("Show total statistics only"),
		start: namedNumber("Show statistics from this CPU"),
		count: namedNumber("Number of shown CPUs at most"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const seconds = (value: unknown): string => `${(Number(value) / 1e9).toFixed(9)} seconds`;
		const print = (title: string, params: readonly TypedParameter[]): void => {
			context.print(title);
			for (const { field, value } of params) context.print(`\t${field.padEnd(12)} ${seconds(value.value)}`);
		};
		const perCpu = async (startCpu: number, ncpus: number, nparams: number) =>
			domain.call("DOMAIN_GET_CPU_STATS", { nparams, startCpu, ncpus, flags: 0 });
		if (!args.total) {
			const present = await hostCpus(context);
			const first = args.start ?? 0;
			const { nparams } = await perCpu(0, 1, 0);
			const { params } = await perCpu(first, Math.min(args.count ?? present, present - first), nparams);
			for (let cpu = 0; cpu * nparams < params.length; cpu++)
				print(`CPU${first + cpu}:`, params.slice(cpu * nparams, (cpu + 1) * nparams));
		}
		const { nparams } = await perCpu(-1, 1, 0);
		print("Total:", (await perCpu(-1, 1, nparams)).params);
	},
});

export const tuningCommands: readonly CliCommand[] = [
	memoryCommand("setmem", "change memory allocation", false),
	memoryCommand("setmaxmem", "change maximum memory limit", true),
	setvcpus,
	vcpucount,
	vcpuinfo,
	vcpupin,
	emulatorpin,
	schedinfo,
	cpuStats,
];
