// Commands that attach, detach and change network interfaces and memory devices, described by options.

import type { Domain } from "@virtkit/client/sdk/domain";
import { childNamed, type XmlElement, xmlElement } from "@virtkit/xml/node";
import { writeXml } from "@virtkit/xml/write";
import { CommandError, orFail, orFailOfOwn } from "../context.ts";
import { type Arguments, flag, needed, optional, optionalNumber, optionalSize } from "../grammar/command.ts";
import { parseKib } from "../output/size.ts";
import { attachOrDetach } from "./attach.ts";
import {
	affectFlags,
	affectOptions,
	type CliCommand,
	checkDeviceAffect,
	declare,
	deviceAffectOptions,
	deviceFlags,
	domainOption,
	exclusive,
} from "./declare.ts";
import { definitionOf, devicesOf } from "./device-list.ts";
import { addressElement } from "./disks.ts";
import { parseRate } from "./limits.ts";

const INTERFACE_TYPES = ["network", "bridge", "direct", "hostdev", "vhostuser"] as const;

const interfaceOptions = {
	domain: domainOption(),
	type: needed("network, bridge, direct, hostdev or vhostuser", { completes: INTERFACE_TYPES }),
	source: needed("what it is joined to"),
	target: optional("the host's name for it"),
	mac: optional("its MAC address"),
	script: optional("a script that brings it up"),
	model: optional("the model that the guest sees"),
	alias: optional("the device's alias"),
	inbound: optional("to the guest: average,peak,burst,floor"),
	outbound: optional("from the guest: average,peak,burst"),
	...deviceAffectOptions,
	"print-xml": flag("print the description instead of attaching"),
	managed: flag("the host lets the device go and takes it back by itself"),
	"source-mode": optional("server or client, of a vhostuser socket", { completes: ["server", "client"] }),
} as const;

type InterfaceArguments = Arguments<typeof interfaceOptions>;

function interfaceSource({ type, source, "source-mode": mode }: InterfaceArguments): XmlElement {
	if (mode !== undefined && mode !== "server" && mode !== "client")
		throw new CommandError(`Invalid source mode: ${mode}`);
	if (type === "network" || type === "bridge") return xmlElement("source", { [type]: source });
	if (type === "direct") return xmlElement("source", { dev: source });
	if (type === "hostdev") return xmlElement("source", {}, [hostdevAddress(source)]);
	if (type !== "vhostuser") throw new CommandError(`No support for ${type} in command 'attach-interface'`);
	if (mode === undefined) throw new CommandError("source-mode is mandatory");
	return xmlElement("source", { type: "unix", path: source, mode });
}

function hostdevAddress(source: string): XmlElement {
	try {
		return addressElement(`pci:${source}`, false);
	} catch {
		throw new CommandError(`cannot parse pci address '${source}' for network interface`);
	}
}

function rateElement(direction: "inbound" | "outbound", spelled: string | undefined): XmlElement | undefined {
	if (spelled === undefined) return undefined;
	const rate = parseRate(spelled);
	if (!rate.average && (direction === "outbound" || !rate.floor))
		throw new CommandError(
			direction === "inbound" ? "either inbound average or floor is mandatory" : "outbound average is mandatory",
		);
	if (direction === "outbound" && rate.floor) throw new CommandError("outbound floor is unsupported yet");
	return xmlElement(direction, Object.fromEntries(Object.entries(rate).filter(([, value]) => value > 0)));
}

function interfaceElement(args: InterfaceArguments): XmlElement {
	const source = interfaceSource(args);
	const rates = [rateElement("inbound", args.inbound), rateElement("outbound", args.outbound)];
	const one = (name: string, attribute: string, value: string | undefined): XmlElement | undefined =>
		value === undefined ? undefined : xmlElement(name, { [attribute]: value });
	return xmlElement("interface", { type: args.type, managed: args.managed ? "yes" : undefined }, [
		source,
		one("target", "dev", args.target),
		one("mac", "address", args.mac),
		one("script", "path", args.script),
		one("model", "type", args.model),
		one("alias", "name", args.alias),
		rates.some((rate) => rate !== undefined) ? xmlElement("bandwidth", {}, rates) : undefined,
	]);
}

const attachInterface = declare({
	name: "attach-interface",
	summary: "attach network interface",
	description: "Attaches a network interface that the options describe.",
	options: interfaceOptions,
	async run(context, args) {
		checkDeviceAffect(args);
		const xml = writeXml(interfaceElement(args));
		if (args["print-xml"]) return context.terminal.out(xml);
		const domain = await context.domain(args.domain);
		await orFail("Failed to attach interface", attachOrDetach(domain, "attach", xml, await deviceFlags(args, domain)));
		context.say("Interface attached successfully");
	},
});

const sameMac = (one: string | undefined, other: string): boolean => one?.toLowerCase() === other.toLowerCase();

/** The one interface of that kind, or the one with that MAC address. Throws in virsh's words. */
function findInterface(definition: XmlElement, type: string, mac: string | undefined): XmlElement {
	const all = devicesOf(definition, "interface").filter(({ attributes }) => attributes.type === type);
	if (all.length === 0) throw new CommandError(`No interface found whose type is ${type}`);
	if (mac === undefined && all.length > 1)
		throw new CommandError(`Domain has ${all.length} interfaces. Please specify which one to detach using --mac`);
	const [found, another] =
		mac === undefined ? all : all.filter((one) => sameMac(childNamed(one, "mac")?.attributes.address, mac));
	if (another)
		throw new CommandError(
			`Domain has multiple interfaces matching MAC address ${mac}. You must use detach-device and specify the device pci address to remove it.`,
		);
	if (!found) throw new CommandError(`No interface with MAC address ${mac} was found`);
	return found;
}

const detachInterface = declare({
	name: "detach-interface",
	summary: "detach network interface",
	description: "Detaches a network interface, found by its kind and its MAC address.",
	options: {
		domain: domainOption(),
		type: needed("its kind, as in the domain's definition"),
		mac: optional("its MAC address, where there are more", { completes: "mac" }),
		...deviceAffectOptions,
		"print-xml": flag("print the description instead of detaching"),
	},
	async run(context, args) {
		checkDeviceAffect(args);
		const domain = await context.domain(args.domain);
		const config = args.config || args.persistent;
		const live = args.live || (args.persistent && (await domain.isActive()));
		// Each definition may describe the device in its own words, so each is asked for its own.
		const detach = async (inactive: boolean, flags: number | undefined): Promise<void> => {
			const xml = writeXml(findInterface(await definitionOf(domain, { inactive }), args.type, args.mac));
			if (args["print-xml"]) context.terminal.out(xml.trimEnd());
			else await attachOrDetach(domain, "detach", xml, flags);
		};
		await orFailOfOwn("Failed to detach interface", async () => {
			if (config) await detach(true, 2);
			if (live || !config) await detach(false, live ? 1 : args.current ? 0 : undefined);
		});
		if (!args["print-xml"]) context.say("Interface detached successfully");
	},
});

/** The interface of that MAC address or host's name. Throws in virsh's words. */
async function interfaceOf(domain: Domain, named: string, inactive: boolean): Promise<XmlElement> {
	const all = devicesOf(await definitionOf(domain, { inactive }), "interface");
	if (all.length === 0) throw new CommandError("Failed to extract interface information or no interfaces found");
	const found = all.find(
		(one) =>
			sameMac(childNamed(one, "mac")?.attributes.address, named) ||
			sameMac(childNamed(one, "target")?.attributes.dev, named),
	);
	if (!found) throw new CommandError(`interface '${named}' not found`);
	return found;
}

const linkOptions = {
	domain: domainOption(),
	interface: needed("name of the host's interface, or MAC address", { completes: "interface" }),
} as const;

const setLink = declare({
	name: "domif-setlink",
	summary: "set link state of a virtual interface",
	description: "Plugs a guest's network cable in, or pulls it out.",
	options: {
		...linkOptions,
		state: needed("up or down", { completes: ["up", "down"] }),
		config: flag("from the next start on", { alias: "persistent" }),
		"print-xml": flag("print the description instead of changing it"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const { state } = args;
		if (state !== "up" && state !== "down") throw new CommandError(`invalid link state '${state}'`);
		const flags = args.config || !(await domain.isActive()) ? 2 : 1;
		const before = await interfaceOf(domain, args.interface, args.config);
		const others = before.children.filter((child) => typeof child === "string" || child.name !== "link");
		const xml = writeXml(xmlElement(before.name, before.attributes, [...others, xmlElement("link", { state })]));
		if (args["print-xml"]) return context.terminal.out(xml.trimEnd());
		const update = domain.call("DOMAIN_UPDATE_DEVICE_FLAGS", { xml, flags });
		await orFail("Failed to update interface link state", update);
		context.say("Device updated successfully");
	},
});

const getLink = declare({
	name: "domif-getlink",
	summary: "get link state of a virtual interface",
	description: "Tells whether a guest's network cable is plugged in.",
	options: { ...linkOptions, config: flag("of the next start", { alias: "persistent" }) },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const { attributes } = childNamed(await linkInterface(domain, args.interface, args.config), "link") ?? {};
		const state = attributes?.state ?? "up";
		if (context.options.json)
			context.facts(
				[
					["interface", args.interface],
					["state", state],
				],
				0,
			);
		else context.terminal.out(`${args.interface} ${state}`);
	},
});

async function linkInterface(domain: Domain, named: string, inactive: boolean): Promise<XmlElement> {
	try {
		return await interfaceOf(domain, named, inactive);
	} catch (error) {
		if (error instanceof CommandError && error.message.startsWith("interface "))
			throw new CommandError(`Interface (${/mac|:/.test(named) ? "mac" : "dev"}: ${named}) not found.`);
		throw error;
	}
}

const updateMemory = declare({
	name: "update-memory-device",
	summary: "update memory device of a domain",
	description: "Changes how much of its memory device a guest is to plug in.",
	options: {
		domain: domainOption(),
		...affectOptions,
		"print-xml": flag("print the description instead of changing it"),
		alias: optional("the device's alias", { completes: "device-alias" }),
		node: optionalNumber("the guest's NUMA node that it belongs to"),
		"requested-size": optionalSize("how much of it the guest is to plug in"),
	},
	async run(context, args) {
		exclusive(args, "node", "alias");
		const flags = affectFlags(args);
		const domain = await context.domain(args.domain);
		const devices = devicesOf(await definitionOf(domain, { inactive: args.config }), "memory").filter((device) => {
			const node = childNamed(childNamed(device, "target") ?? device, "node")?.children[0];
			if (args.alias !== undefined) return childNamed(device, "alias")?.attributes.name === args.alias;
			return args.node === undefined || node === String(args.node);
		});
		if (devices.length > 1)
			throw new CommandError("multiple memory devices found, use --alias or --node to select one");
		const [device] = devices;
		if (!device) throw new CommandError("no memory device found");
		const xml = writeXml(args["requested-size"] === undefined ? device : withRequested(device, args["requested-size"]));
		if (args["print-xml"]) return context.terminal.out(xml.trimEnd());
		await domain.call("DOMAIN_UPDATE_DEVICE_FLAGS", { xml, flags });
	},
});

function withRequested(device: XmlElement, size: string): XmlElement {
	const target = childNamed(device, "target");
	const before = target && childNamed(target, "requested");
	if (!target || !before) throw new CommandError("virtio-mem device is missing <requested/>");
	const requested = xmlElement("requested", { unit: "KiB" }, [String(parseKib(size, "requested-size"))]);
	const changed = xmlElement(
		target.name,
		target.attributes,
		target.children.map((child) => (child === before ? requested : child)),
	);
	return xmlElement(
		device.name,
		device.attributes,
		device.children.map((child) => (child === target ? changed : child)),
	);
}

export const interfaceCommands: readonly CliCommand[] = [
	attachInterface,
	detachInterface,
	setLink,
	getLink,
	updateMemory,
];
