// Disks of a command line: the device, and below it the chain of block nodes as <source> and <backingStore>.

import { VirtError } from "@virtkit/base/errors";
import { type XmlElement, xmlElement } from "@virtkit/xml/node";
import type { Json } from "../command-line/command-line.ts";
import { isOn, type NativeParts, type Props, textOf } from "./native-options.ts";
import { leaf, placeOf } from "./place.ts";

/** One image: its storage type, format and <source>. */
interface Image {
	readonly type: string;
	readonly format: string;
	readonly source: XmlElement;
	readonly top: Props;
	readonly storage: Props;
}

const member = (value: Json | undefined, name: string): Json | undefined =>
	typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Props)[name] : undefined;

/** <source> of a storage node, by QEMU's driver. */
const SOURCES: Readonly<Record<string, (props: Props) => { type: string; source: XmlElement }>> = {
	file: ({ filename }) => ({ type: "file", source: xmlElement("source", { file: textOf(filename) }) }),
	host_device: ({ filename }) => ({ type: "block", source: xmlElement("source", { dev: textOf(filename) }) }),
	host_cdrom: ({ filename }) => ({ type: "block", source: xmlElement("source", { dev: textOf(filename) }) }),
	vvfat: ({ dir }) => ({ type: "dir", source: xmlElement("source", { dir: textOf(dir) }) }),
	nbd: (props) => {
		const { server } = props;
		const unix = textOf(member(server, "type")) === "unix";
		const host = unix
			? xmlElement("host", { transport: "unix", socket: textOf(member(server, "path")) })
			: xmlElement("host", { name: textOf(member(server, "host")), port: textOf(member(server, "port")) });
		return {
			type: "network",
			source: xmlElement("source", { protocol: "nbd", name: textOf(props.export) }, [host]),
		};
	},
};

function imageOf(parts: NativeParts, node: string): Image {
	const top = parts.made("-blockdev", node);
	if (top === undefined)
		throw new VirtError("INVALID_ARG", `the command line has no option '-blockdev' for node '${node}'`);
	const storage = parts.made("-blockdev", top.file);
	const driver = textOf(storage?.driver) ?? "";
	const make = SOURCES[driver];
	if (storage === undefined || make === undefined)
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			`block node '${node}' of the command line lies on unknown storage '${driver}'`,
		);
	return { ...make(storage), format: textOf(top.driver) ?? "raw", top, storage };
}

/** The images below; an end where the command line says that there are none. */
function backingOf(parts: NativeParts, { top }: Image): XmlElement | undefined {
	if (top.backing === null) return xmlElement("backingStore");
	const node = textOf(top.backing);
	if (node === undefined) return undefined;
	const image = imageOf(parts, node);
	return xmlElement("backingStore", { type: image.type }, [
		xmlElement("format", { type: image.format }),
		image.source,
		backingOf(parts, image),
	]);
}

/** What a cache mode makes of the nodes and the device: direct, no-flush, and whether the device writes back. */
function cacheOf({ storage }: Image, device: Props): string | undefined {
	const direct = isOn(member(storage.cache, "direct"));
	const noFlush = isOn(member(storage.cache, "no-flush"));
	const writeback = device["write-cache"];
	if (storage.cache === undefined && writeback === undefined) return undefined;
	if (noFlush) return "unsafe";
	if (writeback !== undefined && !isOn(writeback)) return direct ? "directsync" : "writethrough";
	return direct ? "none" : "writeback";
}

interface Bus {
	readonly bus: string;
	/** Prefix of the guest's name for such disks. */
	readonly prefix: string;
	readonly device?: string;
}

/** By QEMU's name of the device. */
export const DISK_DRIVERS: Readonly<Record<string, Bus>> = {
	"virtio-blk-pci": { bus: "virtio", prefix: "vd" },
	"virtio-blk-ccw": { bus: "virtio", prefix: "vd" },
	"scsi-hd": { bus: "scsi", prefix: "sd" },
	"scsi-cd": { bus: "scsi", prefix: "sd", device: "cdrom" },
	"scsi-block": { bus: "scsi", prefix: "sd", device: "lun" },
	"ide-hd": { bus: "ide", prefix: "hd" },
	"ide-cd": { bus: "ide", prefix: "hd", device: "cdrom" },
	"usb-storage": { bus: "usb", prefix: "sd" },
	floppy: { bus: "fdc", prefix: "fd", device: "floppy" },
};

/** The controller and place on it that the device names; undefined for buses that have none. */
function driveAddress(props: Props, bus: string): XmlElement | undefined {
	const on = /^(?:scsi|sata|ide)(\d*)\.(\d+)$/.exec(textOf(props.bus) ?? "");
	if (bus === "fdc") return xmlElement("address", { type: "drive", unit: textOf(props.unit) });
	if (on === null) return undefined;
	const [, controller, channel] = on;
	if (bus === "scsi") {
		const wide = props.lun !== undefined;
		return xmlElement("address", {
			type: "drive",
			controller: controller || 0,
			bus: wide ? textOf(props.channel) : 0,
			target: wide ? textOf(props["scsi-id"]) : 0,
			unit: textOf(wide ? props.lun : props["scsi-id"]),
		});
	}
	return xmlElement("address", {
		type: "drive",
		controller: bus === "sata" ? controller || 0 : 0,
		bus: bus === "sata" ? 0 : channel,
		target: 0,
		unit: bus === "sata" ? channel : textOf(props.unit),
	});
}

/** The letters after a prefix: a to z, then aa and so on. */
function letters(index: number): string {
	return (index >= 26 ? letters(Math.floor(index / 26) - 1) : "") + String.fromCharCode(97 + (index % 26));
}

/** The <disk> of a device. `names` counts how many disks have each prefix. */
export function nativeDisk(props: Props, parts: NativeParts, names: Map<string, number>): XmlElement {
	const kind = DISK_DRIVERS[textOf(props.driver) ?? ""];
	if (kind === undefined) throw new VirtError("INTERNAL_ERROR", `'${textOf(props.driver)}' is no disk`);
	const { bus, prefix } = kind.bus === "ide" && isSata(props, parts) ? { bus: "sata", prefix: "sd" } : kind;
	// The ids of virtio disks come from their names; nobody sees the names of others.
	const index = Number(/^virtio-disk(\d+)$/.exec(textOf(props.id) ?? "")?.[1] ?? names.get(prefix) ?? 0);
	names.set(prefix, index + 1);
	const image = props.drive === undefined ? undefined : imageOf(parts, textOf(props.drive) ?? "");
	const driver = xmlElement("driver", {
		name: "qemu",
		type: image?.format,
		cache: image && cacheOf(image, props),
		io: textOf(image?.storage.aio),
		discard: textOf(image?.top.discard),
		detect_zeroes: textOf(image?.top["detect-zeroes"]),
		iothread: /^iothread(\d+)$/.exec(textOf(props.iothread) ?? "")?.[1],
		queues: textOf(props["num-queues"]),
		error_policy: policy(textOf(props.werror)),
		rerror_policy: textOf(props.rerror),
	});
	return xmlElement("disk", { type: image?.type ?? "file", device: kind.device ?? "disk" }, [
		driver,
		image?.source,
		image && backingOf(parts, image),
		xmlElement("target", { dev: `${prefix}${letters(index)}`, bus, removable: props.removable ? "on" : undefined }),
		isOn(image?.top["read-only"]) && kind.device !== "cdrom" ? xmlElement("readonly") : undefined,
		isOn(props["share-rw"]) ? xmlElement("shareable") : undefined,
		leaf("serial", textOf(props.serial)),
		leaf(
			"wwn",
			props.wwn === undefined
				? undefined
				: BigInt(textOf(props.wwn) ?? "")
						.toString(16)
						.padStart(16, "0"),
		),
		leaf("vendor", textOf(props.vendor)),
		leaf("product", textOf(props.product)),
		driveAddress(props, bus),
		...placeOf(bus === "fdc" ? { ...props, bootindex: floppyBoot(props, parts) } : props),
	]);
}

/** q35 has a SATA controller of its own, whose ports QEMU calls ide.0 to ide.5. */
function isSata({ bus }: Props, parts: NativeParts): boolean {
	return (textOf(bus) ?? "").startsWith("sata") || /q35/.test(textOf(parts.one("-machine")?.[""]) ?? "");
}

/** A floppy's place in the boot order is its controller's to know. */
function floppyBoot({ unit }: Props, parts: NativeParts): Json | undefined {
	const controller = parts.all("-device").find(({ driver }) => driver === "isa-fdc");
	if (controller) parts.read.add(controller);
	return controller?.[textOf(unit) === "1" ? "bootindexB" : "bootindexA"];
}

/** QEMU's word for what follows a failed write, in the document's. */
const policy = (text: string | undefined): string | undefined => (text === "enospc" ? "enospace" : text);
