// Commands that attach and detach disks and change their media, described by options.

import { statSync } from "node:fs";
import { childNamed, type XmlElement, xmlElement } from "@virtkit/xml/node";
import { writeXml } from "@virtkit/xml/write";
import { CommandError, orFail } from "../context.ts";
import { type Arguments, flag, needed, optional } from "../grammar/command.ts";
import { attachOrDetach, FORCE } from "./attach.ts";
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
	requires,
} from "./declare.ts";
import { definitionOf, devicesOf } from "./device-list.ts";

const diskOptions = {
	domain: domainOption(),
	source: needed("the file, block device or network name that holds the disk", {
		emptyAllowed: true,
		completes: "file",
	}),
	target: needed("the guest's name for it, such as vdb", { completes: "disk" }),
	targetbus: optional("the bus that it is on"),
	driver: optional("the driver that serves it"),
	subdriver: optional("the format of its source"),
	iothread: optional("the I/O thread that serves it", { completes: "iothread" }),
	cache: optional("how the host caches it", {
		completes: ["none", "writethrough", "writeback", "directsync", "unsafe"],
	}),
	io: optional("how the host reads and writes it", { completes: ["threads", "native", "io_uring"] }),
	type: optional("what it is: disk, cdrom, floppy or lun", { completes: ["disk", "cdrom", "floppy", "lun"] }),
	mode: optional("readonly or shareable", { alias: "shareable=shareable", completes: ["readonly", "shareable"] }),
	sourcetype: optional("what the source is: file, block or network", { completes: ["file", "block", "network"] }),
	serial: optional("its serial number"),
	wwn: optional("its world wide name"),
	alias: optional("the device's alias"),
	rawio: flag("it needs the raw I/O capability"),
	address: optional("its address, such as pci:0000.00.05.00"),
	multifunction: flag("the PCI slot holds more functions"),
	"print-xml": flag("print the description instead of attaching"),
	"source-protocol": optional("protocol of a network source"),
	"source-host-name": optional("host of a network source, with its port"),
	"source-host-transport": optional("transport to a network source"),
	"source-host-socket": optional("socket of a network source"),
	...deviceAffectOptions,
} as const;

type DiskArguments = Arguments<typeof diskOptions>;

const isBlockDevice = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isBlockDevice() ?? false;

function sourceType({ sourcetype, source, driver, "source-protocol": protocol }: DiskArguments): string {
	if (sourcetype !== undefined && !diskOptions.sourcetype.completes?.includes(sourcetype))
		throw new CommandError(`Unknown source type: '${sourcetype}'`);
	const guessed = driver !== "file" && driver !== "tap" && isBlockDevice(source) ? "block" : "file";
	const type = sourcetype ?? (protocol === undefined ? guessed : "network");
	if ((type === "network") !== (protocol !== undefined))
		throw new CommandError("--source-protocol option requires --sourcetype network");
	return type;
}

/** An element, or nothing where neither attributes nor children were given. */
function elementOf(
	name: string,
	attributes: Readonly<Record<string, string | undefined>>,
	children: readonly (XmlElement | undefined)[] = [],
): XmlElement | undefined {
	const given = Object.fromEntries(
		Object.entries(attributes).filter(([, value]) => value !== undefined && value !== ""),
	);
	const inside = children.filter((child) => child !== undefined);
	return Object.keys(given).length > 0 || inside.length > 0 ? xmlElement(name, given, inside) : undefined;
}

function sourceElement(type: string, args: DiskArguments): XmlElement | undefined {
	if (type !== "network") return elementOf("source", { [type === "block" ? "dev" : "file"]: args.source });
	const [name, port] = args["source-host-name"]?.split(/:(.*)/s) ?? [];
	const { "source-host-transport": transport, "source-host-socket": socket, "source-protocol": protocol } = args;
	return elementOf("source", { protocol, name: args.source }, [elementOf("host", { transport, socket, name, port })]);
}

const hex = (text: string, digits: number): string =>
	`0x${Number.parseInt(text, 16).toString(16).padStart(digits, "0")}`;

/** Kinds of addresses in virsh's spelling, with how many parts each has and the attributes that they become. */
const ADDRESSES: Readonly<
	Record<string, readonly [parts: number, attributes: (parts: string[]) => Record<string, string>]>
> = {
	pci: [
		4,
		([domain = "", bus = "", slot = "", fn = ""]) => ({
			type: "pci",
			domain: hex(domain, 4),
			bus: hex(bus, 2),
			slot: hex(slot, 2),
			function: hex(fn, 1),
		}),
	],
	ccw: [
		3,
		([cssid = "", ssid = "", devno = ""]) => ({
			type: "ccw",
			cssid: hex(cssid, 2),
			ssid: hex(ssid, 1),
			devno: hex(devno, 4),
		}),
	],
	usb: [2, ([bus = "", port = ""]) => ({ type: "usb", bus: String(Number(bus)), port: String(Number(port)) })],
	...Object.fromEntries(
		["scsi", "ide", "sata"].map((kind) => [
			kind,
			[
				3,
				([controller, bus, unit]: string[]) => ({
					type: "drive",
					controller: String(Number(controller)),
					bus: String(Number(bus)),
					unit: String(Number(unit)),
				}),
			],
		]),
	),
};

/** What kinds of addresses a target's name allows. */
const ALLOWED: readonly (readonly [prefix: string, kinds: readonly string[], complaint: string])[] = [
	["vd", ["pci", "ccw"], "expecting a pci:0000.00.00.00 or ccw:00.0.0000 address."],
	["sd", ["scsi", "usb", "sata"], "expecting a scsi:00.00.00 or usb:00.00 or sata:00.00.00 address."],
	["hd", ["ide"], "expecting an ide:00.00.00 address."],
];

/** `<address>` of an address in virsh's spelling. Throws in its words; `target` decides which kinds are allowed. */
export function addressElement(spelled: string, multifunction: boolean, target = ""): XmlElement {
	const [kind = "", rest = ""] = spelled.split(/:(.*)/s);
	const parts = rest.split(/[.:]/);
	const [count, attributes] = ADDRESSES[kind] ?? [0, () => ({})];
	if (count === 0 || parts.length !== count || parts.some((part) => !/^[0-9a-f]+$/i.test(part)))
		throw new CommandError("Invalid address.");
	const rule = ALLOWED.find(([prefix]) => target.startsWith(prefix));
	if (rule && !rule[1].includes(kind)) throw new CommandError(rule[2]);
	return xmlElement("address", {
		...attributes(parts),
		...(multifunction && kind === "pci" ? { multifunction: "on" } : {}),
	});
}

function diskElement(args: DiskArguments): XmlElement {
	const type = sourceType(args);
	const { mode, serial, alias, wwn, address, target } = args;
	if (mode !== undefined && mode !== "readonly" && mode !== "shareable")
		throw new CommandError(`No support for ${mode} in command 'attach-disk'`);
	const { driver: name, subdriver, iothread, cache, io } = args;
	return xmlElement("disk", { type, device: args.type, rawio: args.rawio ? "yes" : undefined }, [
		elementOf("driver", { name, type: subdriver, iothread, cache, io }),
		sourceElement(type, args),
		xmlElement("target", { dev: target, bus: args.targetbus }),
		mode === undefined ? undefined : xmlElement(mode),
		serial === undefined ? undefined : xmlElement("serial", {}, [serial]),
		elementOf("alias", { name: alias }),
		wwn === undefined ? undefined : xmlElement("wwn", {}, [wwn]),
		address === undefined ? undefined : addressElement(address, args.multifunction, target),
	]);
}

const attachDisk = declare({
	name: "attach-disk",
	summary: "attach disk device",
	description: "Attaches a disk that the options describe.",
	options: diskOptions,
	async run(context, args) {
		checkDeviceAffect(args);
		for (const one of ["source-host-name", "source-host-transport", "source-host-socket"] as const)
			requires(args, one, "source-protocol");
		requires(args, "source-host-socket", "source-host-transport");
		exclusive(args, "source-host-name", "source-host-socket");
		const xml = writeXml(diskElement(args));
		if (args["print-xml"]) return context.terminal.out(xml);
		const domain = await context.domain(args.domain);
		await orFail("Failed to attach disk", attachOrDetach(domain, "attach", xml, await deviceFlags(args, domain)));
		context.say("Disk attached successfully");
	},
});

/** The disk of that target or source. Throws in virsh's words. */
function findDisk(definition: XmlElement, path: string, changeable: boolean): XmlElement {
	const matches = devicesOf(definition, "disk").filter((disk) => {
		if (changeable && !["cdrom", "floppy"].includes(disk.attributes.device ?? "")) return false;
		const { file, dev, dir, name } = childNamed(disk, "source")?.attributes ?? {};
		return [file, dev, dir, name, childNamed(disk, "target")?.attributes.dev].includes(path);
	});
	if (!matches[0]) throw new CommandError(`No disk found whose source path or target is ${path}`);
	return matches[0];
}

const detachDisk = declare({
	name: "detach-disk",
	summary: "detach disk device",
	description: "Detaches a disk, found by the guest's name for it.",
	options: {
		domain: domainOption(),
		target: needed("the guest's name for it, or its source", { completes: "disk" }),
		...deviceAffectOptions,
		"print-xml": flag("print the description instead of detaching"),
	},
	async run(context, args) {
		checkDeviceAffect(args);
		const domain = await context.domain(args.domain);
		const inactive = (args.config || args.persistent) && !args.live;
		const xml = writeXml(findDisk(await definitionOf(domain, { inactive }), args.target, false));
		if (args["print-xml"]) return context.terminal.out(xml.trimEnd());
		await orFail("Failed to detach disk", attachOrDetach(domain, "detach", xml, await deviceFlags(args, domain)));
		context.say("Disk detached successfully");
	},
});

type MediaAction = "eject" | "insert" | "update";

/** The drive's description with another medium in it, or none. Throws in virsh's words. */
function withMedium(
	disk: XmlElement,
	path: string,
	source: string | undefined,
	action: MediaAction,
	block: boolean,
): XmlElement {
	const before = childNamed(disk, "source");
	if (action === "eject" && !before) throw new CommandError(`The disk device '${path}' doesn't have media`);
	if (action !== "eject" && source === undefined) throw new CommandError("New disk media source was not specified");
	const { file, dev, dir, pool, name, startupPolicy } = before?.attributes ?? {};
	if (action === "insert" && [file, dev, dir, pool, name].some((one) => one !== undefined))
		throw new CommandError(`The disk device '${path}' already has media`);
	const medium =
		action === "eject" ? undefined : xmlElement("source", { [block ? "dev" : "file"]: source, startupPolicy });
	const children = disk.children.filter((child) => child !== before);
	const at = children.findIndex((child) => typeof child !== "string" && child.name === "target");
	const type = block && action !== "eject" ? "block" : "file";
	return xmlElement(disk.name, { ...disk.attributes, type }, [...children.slice(0, at), medium, ...children.slice(at)]);
}

const changeMedia = declare({
	name: "change-media",
	summary: "Change media of CD or floppy drive",
	description: "Puts a medium into a drive, takes it out, or puts another in its place.",
	options: {
		domain: domainOption(),
		path: needed("the drive's target or the medium's path", { completes: "disk" }),
		source: optional("the new medium", { completes: "file" }),
		eject: flag("take the medium out"),
		insert: flag("put the medium in"),
		update: flag("put the medium in, in place of the one that is there"),
		current: affectOptions.current,
		live: affectOptions.live,
		config: affectOptions.config,
		force: flag("though the guest holds the medium"),
		"print-xml": flag("print the description instead of changing it"),
		block: flag("the medium is a block device"),
	},
	async run(context, args) {
		exclusive(args, "eject", "insert");
		exclusive(args, "eject", "update");
		exclusive(args, "insert", "update");
		exclusive(args, "eject", "block");
		const { source, path } = args;
		// To change it to nothing is to take it out.
		const action = args.eject || (args.update && source === undefined) ? "eject" : args.insert ? "insert" : "update";
		const flags = affectFlags(args) | (args.force ? FORCE : 0);
		const domain = await context.domain(args.domain);
		const disk = findDisk(await definitionOf(domain, { inactive: args.config }), path, true);
		const xml = writeXml(withMedium(disk, path, source, action, args.block));
		if (args["print-xml"]) return context.terminal.out(xml.trimEnd());
		const update = domain.call("DOMAIN_UPDATE_DEVICE_FLAGS", { xml, flags });
		await orFail(`Failed to complete action ${action} on media`, update);
		context.terminal.out(`Successfully ${action}${action === "update" ? "d" : "ed"} media.`);
	},
});

export const diskCommands: readonly CliCommand[] = [attachDisk, detachDisk, changeMedia];
