// Commands that compare CPUs and compute what several hosts have in common.

import { readFileSync } from "node:fs";
import { type XmlElement, xmlElement } from "@virtkit/xml/node";
import { parseXml } from "@virtkit/xml/parse";
import { writeXml } from "@virtkit/xml/write";
import { CommandError, orFail } from "../context.ts";
import { flag, needed, optional } from "../grammar/command.ts";
import { type CliCommand, declare } from "./declare.ts";

/** Where a document may have a CPU, as paths of elements. */
const PLACES = [["cpu"], ["domain", "cpu"], ["capabilities", "host", "cpu"]];
/** The host model of domain capabilities, whose element is called otherwise. */
const HOST_MODEL = ["domainCapabilities", "cpu", "mode"];

/** The CPUs in a file: of its own, of domains, of capabilities. */
function cpusIn(path: string): string[] {
	const text = readFileSync(path, "utf8").replace(/^\s*<\?xml[\s\S]*?\?>/, "");
	const container = parseXml(`<container>${text}</container>`, path);
	const found = [...PLACES, HOST_MODEL].flatMap((place) =>
		elementsAt(container, place)
			.filter(({ local, attributes: { name, supported } }) =>
				local === "cpu" ? true : name === "host-model" && supported === "yes",
			)
			.map((one) => writeXml(one.local === "cpu" ? one : xmlElement("cpu", {}, one.children))),
	);
	if (found.length > 0) return found;
	throw new CommandError(
		`File '${path}' does not contain any <cpu> element or valid domain XML, host capabilities XML, or domain capabilities XML`,
	);
}

function elementsAt(from: XmlElement, [first, ...rest]: readonly string[]): XmlElement[] {
	if (first === undefined) return [from];
	return from.children.flatMap((child) =>
		typeof child !== "string" && child.local === first ? elementsAt(child, rest) : [],
	);
}

const file = () => needed("file containing an XML CPU description");
const emulatorOptions = {
	virttype: optional("virtualization type (/domain/@type)"),
	emulator: optional("path to emulator binary (/domain/devices/emulator)"),
	arch: optional("CPU architecture (/domain/os/type/@arch)"),
	machine: optional("machine type (/domain/os/type/@machine)"),
};
const compareOptions = {
	error: flag("report error if CPUs are incompatible"),
	validate: flag("validate the XML document against schema"),
};
const baselineOptions = {
	features: flag("Show features that are part of the CPU model type"),
	migratable: flag("Do not include features that block migration"),
};

const flagsOf = (first: boolean, second: boolean): number => (first ? 1 : 0) | (second ? 2 : 0);

const compare = declare({
	name: "cpu-compare",
	summary: "compare host CPU with a CPU described by an XML file",
	description: "compare CPU with host CPU",
	options: { file: file(), ...compareOptions },
	async run(context, args) {
		const [xml = ""] = cpusIn(args.file);
		const { host } = await context.connection;
		const result = await orFail(
			`Failed to compare host CPU with ${args.file}`,
			host.compareCpu(xml, flagsOf(args.error, args.validate)),
		);
		if (result === 0) throw new CommandError(`CPU described in ${args.file} is incompatible with host CPU`);
		context.print(
			result === 1
				? `CPU described in ${args.file} is identical to host CPU`
				: `Host CPU is a superset of CPU described in ${args.file}`,
		);
	},
});

const hypervisorCompare = declare({
	name: "hypervisor-cpu-compare",
	summary: "compare a CPU with the CPU created by a hypervisor on the host",
	description: "compare CPU with hypervisor CPU",
	options: { file: file(), ...emulatorOptions, ...compareOptions },
	async run(context, args) {
		const [xml = ""] = cpusIn(args.file);
		const { host } = await context.connection;
		const result = await orFail(
			`Failed to compare hypervisor CPU with ${args.file}`,
			host.compareHypervisorCpu({ ...args, virtType: args.virttype }, xml, flagsOf(args.error, args.validate)),
		);
		if (result === 0)
			throw new CommandError(
				`CPU described in ${args.file} is incompatible with the CPU provided by hypervisor on the host`,
			);
		context.print(
			result === 1
				? `CPU described in ${args.file} is identical to the CPU provided by hypervisor on the host`
				: `The CPU provided by hypervisor on the host is a superset of CPU described in ${args.file}`,
		);
	},
});

const baseline = declare({
	name: "cpu-baseline",
	summary: "compute baseline CPU",
	description: "Compute baseline CPU for a set of given CPUs.",
	options: { file: file(), ...baselineOptions },
	async run(context, args) {
		const cpus = cpusIn(args.file);
		const { host } = await context.connection;
		context.print((await host.baselineCpu(cpus, flagsOf(args.features, args.migratable))).trimEnd());
	},
});

const hypervisorBaseline = declare({
	name: "hypervisor-cpu-baseline",
	summary: "compute baseline CPU usable by a specific hypervisor",
	description: "Compute baseline CPU for a set of given CPUs. The result will be tailored to the specified hypervisor.",
	options: {
		file: optional("file containing XML CPU descriptions"),
		...emulatorOptions,
		...baselineOptions,
		model: optional("Shortcut for calling the command with a single CPU model and no additional features"),
	},
	async run(context, args) {
		if (args.file === undefined && args.model === undefined)
			throw new CommandError("Either --file or --model is required");
		if (args.file !== undefined && args.model !== undefined)
			throw new CommandError("Options --file and --model are mutually exclusive");
		const cpus =
			args.file === undefined
				? [writeXml(xmlElement("cpu", {}, [xmlElement("model", {}, [args.model ?? ""])]))]
				: cpusIn(args.file);
		const { host } = await context.connection;
		const flags = flagsOf(args.features, args.migratable);
		context.print((await host.baselineHypervisorCpu({ ...args, virtType: args.virttype }, cpus, flags)).trimEnd());
	},
});

export const cpuCommands: readonly CliCommand[] = [compare, baseline, hypervisorCompare, hypervisorBaseline];
