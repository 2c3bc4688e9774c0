// Commands that compare CPUs with the host's and find what several have in common.

import { childNamed, elementsOf, type XmlElement, xmlElement } from "@virtkit/xml/node";
import { parseXml } from "@virtkit/xml/parse";
import { writeXml } from "@virtkit/xml/write";
import { type CliContext, CommandError, orFail, SilentFailure } from "../context.ts";
import { flag, needed, optional } from "../grammar/command.ts";
import { type CliCommand, declare, exclusive } from "./declare.ts";
import { readFile } from "./definition.ts";

/** The CPUs in one document: itself, of a domain, of a host, or what a hypervisor gives its guests of the host's. */
function cpusIn(document: XmlElement): (XmlElement | undefined)[] {
	if (document.name === "cpu") return [document];
	if (document.name === "domain") return [childNamed(document, "cpu")];
	if (document.name === "capabilities") return [childNamed(childNamed(document, "host") ?? document, "cpu")];
	if (document.name !== "domainCapabilities") return [];
	return elementsOf(childNamed(document, "cpu") ?? document)
		.filter(
			({ name, attributes }) => name === "mode" && attributes.name === "host-model" && attributes.supported === "yes",
		)
		.map((mode) => xmlElement("cpu", {}, mode.children));
}

/** The CPUs that a file describes, one or more documents after each other. Throws in virsh's words. */
function readCpus(file: string): string[] {
	const documents = readFile(file).replace(/^\s*<\?xml.*?\?>/s, "");
	const cpus = elementsOf(parseXml(`<container>${documents}</container>`)).flatMap(cpusIn);
	const found = cpus.filter((cpu) => cpu !== undefined).map((cpu) => writeXml(cpu));
	if (found.length === 0)
		throw new CommandError(
			`File '${file}' does not contain any <cpu> element or valid domain XML, host capabilities XML, or domain capabilities XML`,
		);
	return found;
}

/** virCPUCompareResult */
const [INCOMPATIBLE, IDENTICAL, SUPERSET] = [0, 1, 2];

/** Tells the outcome of a comparison; one that does not fit is a failure. */
function tell(context: CliContext, result: number, file: string, host: string, Host: string): void {
	if (result === IDENTICAL) context.print(`CPU described in ${file} is identical to ${host}`);
	else if (result === SUPERSET) context.print(`${Host} is a superset of CPU described in ${file}`);
	else if (result === INCOMPATIBLE) {
		context.print(`CPU described in ${file} is incompatible with ${host}`);
		throw new SilentFailure();
	} else throw new CommandError(`Failed to compare ${host} with ${file}: the daemon answers ${result}`);
}

const file = needed("file with the CPU's description", { completes: "file" });
const compareOptions = {
	error: flag("a CPU that does not fit is an error"),
	validate: flag("hold the description against its schema"),
} as const;
const emulatorOptions = {
	virttype: optional("kind of domain", { completes: ["kvm", "qemu"] }),
	emulator: optional("the emulator", { completes: "file" }),
	arch: optional("the guest's architecture"),
	machine: optional("the machine type"),
} as const;
const baselineOptions = {
	features: flag("name features that are part of the model too"),
	migratable: flag("leave out features that keep a guest from being moved"),
} as const;

/** virConnectCompareCPUFlags, and those of baselines, which have the same bits. */
const compareFlags = (args: { readonly error: boolean; readonly validate: boolean }): number =>
	(args.error ? 1 : 0) | (args.validate ? 2 : 0);
const baselineFlags = (args: { readonly features: boolean; readonly migratable: boolean }): number =>
	(args.features ? 1 : 0) | (args.migratable ? 2 : 0);

interface Emulator {
	readonly virttype?: string | undefined;
	readonly emulator?: string | undefined;
	readonly arch?: string | undefined;
	readonly machine?: string | undefined;
}
const emulatorOf = ({ virttype, emulator, arch, machine }: Emulator) => ({
	virttype: virttype ?? null,
	emulator: emulator ?? null,
	arch: arch ?? null,
	machine: machine ?? null,
});

const compare = declare({
	name: "cpu-compare",
	summary: "compare host CPU with a CPU described by an XML file",
	description: "Tells whether the host's processor has all that a CPU needs.",
	options: { file, ...compareOptions },
	async run(context, args) {
		const [xml = ""] = readCpus(args.file);
		const { rpc } = await context.connection;
		const compared = rpc.call("CONNECT_COMPARE_CPU", { xml, flags: compareFlags(args) });
		const { result } = await orFail(`Failed to compare host CPU with ${args.file}`, compared);
		tell(context, result, args.file, "host CPU", "Host CPU");
	},
});

const baseline = declare({
	name: "cpu-baseline",
	summary: "compute baseline CPU",
	description: "Prints the CPU that all those in a file have in common.",
	options: { file: needed("file with the CPUs' descriptions", { completes: "file" }), ...baselineOptions },
	async run(context, args) {
		const xmlCPUs = readCpus(args.file);
		const { rpc } = await context.connection;
		context.terminal.out((await rpc.call("CONNECT_BASELINE_CPU", { xmlCPUs, flags: baselineFlags(args) })).cpu);
	},
});

const compareHypervisor = declare({
	name: "hypervisor-cpu-compare",
	summary: "compare a CPU with the CPU created by a hypervisor on the host",
	description: "Tells whether the hypervisor can give its guests all that a CPU needs.",
	options: { file, ...emulatorOptions, ...compareOptions },
	async run(context, args) {
		const [xmlCPU = ""] = readCpus(args.file);
		const { rpc } = await context.connection;
		const call = { ...emulatorOf(args), xmlCPU, flags: compareFlags(args) };
		const compared = rpc.call("CONNECT_COMPARE_HYPERVISOR_CPU", call);
		const { result } = await orFail(`Failed to compare hypervisor CPU with ${args.file}`, compared);
		const provided = "CPU provided by hypervisor on the host";
		tell(context, result, args.file, `the ${provided}`, `The ${provided}`);
	},
});

const baselineHypervisor = declare({
	name: "hypervisor-cpu-baseline",
	summary: "compute baseline CPU usable by a specific hypervisor",
	description: "Prints the CPU that the hypervisor can give its guests of what all those in a file have in common.",
	options: {
		file: optional("file with the CPUs' descriptions", { completes: "file" }),
		...emulatorOptions,
		...baselineOptions,
		model: optional("a CPU model, in place of a file"),
	},
	async run(context, args) {
		exclusive(args, "file", "model");
		if (args.file === undefined && args.model === undefined)
			throw new CommandError("Either --file or --model must be provided");
		const xmlCPUs =
			args.file === undefined
				? [writeXml(xmlElement("cpu", {}, [xmlElement("model", {}, [args.model ?? ""])]))]
				: readCpus(args.file);
		const { rpc } = await context.connection;
		const call = { ...emulatorOf(args), xmlCPUs, flags: baselineFlags(args) };
		context.terminal.out((await rpc.call("CONNECT_BASELINE_HYPERVISOR_CPU", call)).cpu);
	},
});

export const cpuCommands: readonly CliCommand[] = [compare, baseline, compareHypervisor, baselineHypervisor];
