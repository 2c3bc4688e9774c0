// Devices of a command line other than disks and controllers as elements of the document, by QEMU's names of them.

import { type XmlElement, xmlElement } from "@virtkit/xml/node";
import { nativeChardev } from "./native-chardevs.ts";
import { isOn, type NativeParts, type Props, textOf } from "./native-options.ts";
import { placeOf } from "./place.ts";

type Read = (props: Props, parts: NativeParts, driver: string) => XmlElement;

/** Network cards; what they are connected to is for a shell to say, as in what domxml-to-native prints. */
const nic: Read = (props, parts, driver) => {
	const net = parts.made("-netdev", props.netdev);
	const isUser = textOf(net?.type) === "user";
	return xmlElement("interface", { type: isUser ? "user" : "ethernet" }, [
		xmlElement("mac", { address: textOf(props.mac) }),
		xmlElement("model", { type: /^virtio-net/.test(driver) ? "virtio" : driver }),
		props.host_mtu === undefined ? undefined : xmlElement("mtu", { size: textOf(props.host_mtu) }),
		...placeOf(props),
	]);
};

/** A port with a character device behind it. */
const port =
	(element: string, target: (props: Props, driver: string) => XmlElement): Read =>
	(props, parts, driver) => {
		const { type, content } = nativeChardev(parts, textOf(props.chardev));
		return xmlElement(element, { type }, [...content, target(props, driver), ...placeOf(props)]);
	};

/** <target> of serial ports: their bus and QEMU's name. */
const SERIAL_BUSES: Readonly<Record<string, string>> = {
	"isa-serial": "isa-serial",
	"isa-debugcon": "isa-debug",
	"pci-serial": "pci-serial",
	"usb-serial": "usb-serial",
	"spapr-vty": "spapr-vio-serial",
	sclpconsole: "sclp-serial",
};

const serial = port("serial", (props, driver) =>
	xmlElement("target", { type: SERIAL_BUSES[driver], port: /^serial(\d+)$/.exec(textOf(props.id) ?? "")?.[1] }, [
		xmlElement("model", { name: driver }),
	]),
);
const channel = port("channel", ({ name }) => xmlElement("target", { type: "virtio", name: textOf(name) }));
const parallel = port("parallel", () => xmlElement("target"));
const consoleOf = (type: string): Read => port("console", () => xmlElement("target", { type }));

const input =
	(type: string, bus: string): Read =>
	(props) =>
		xmlElement("input", { type, bus }, [
			props.evdev === undefined ? undefined : xmlElement("source", { evdev: textOf(props.evdev) }),
			...placeOf(props),
		]);

/** Video memory in KiB where the document says it. */
const video =
	(type: string, primary: boolean): Read =>
	(props) => {
		const mib = props.vgamem_mb === undefined ? undefined : Number(textOf(props.vgamem_mb)) * 1024;
		const kib = (bytes: Props[string]) => (bytes === undefined ? undefined : Number(textOf(bytes)) / 1024);
		const memory =
			type === "qxl"
				? { ram: kib(props.ram_size), vram: kib(props.vram_size), vgamem: mib }
				: { vram: mib ?? kib(props.vgamem) };
		const { xres, yres } = props;
		return xmlElement("video", {}, [
			xmlElement("model", { type, ...memory, heads: textOf(props.max_outputs), primary: primary ? "yes" : undefined }, [
				isOn(props.virgl) ? xmlElement("acceleration", { accel3d: "yes" }) : undefined,
				xres === undefined ? undefined : xmlElement("resolution", { x: textOf(xres), y: textOf(yres) }),
			]),
			...placeOf(props),
		]);
	};

const sound =
	(model: string): Read =>
	(props, parts) => {
		const codecs = parts.all("-device").filter(({ bus }) => textOf(bus) === `${textOf(props.id)}.0`);
		const types = codecs.map(({ driver }) => textOf(driver)?.replace("hda-", "") ?? "");
		return xmlElement("sound", { model }, [
			...types.filter((type) => type !== "duplex").map((type) => xmlElement("codec", { type })),
			...placeOf(props),
		]);
	};

const watchdog =
	(model: string): Read =>
	(props, parts) => {
		const action = parts.text("-watchdog-action") ?? "reset";
		return xmlElement("watchdog", { model, action: action === "debug" ? "dump" : action }, placeOf(props));
	};

const balloon: Read = (props) =>
	xmlElement(
		"memballoon",
		{
			model: "virtio",
			autodeflate: isOn(props["deflate-on-oom"]) ? "on" : undefined,
			freePageReporting: isOn(props["free-page-reporting"]) ? "on" : undefined,
		},
		placeOf(props),
	);

const rng: Read = (props, parts) => {
	const object = parts.made("-object", props.rng) ?? {};
	const kind = textOf(object["qom-type"]);
	const egd = kind === "rng-egd" ? nativeChardev(parts, textOf(object.chardev)) : undefined;
	const limit = props["max-bytes"];
	return xmlElement("rng", { model: "virtio" }, [
		limit === undefined ? undefined : xmlElement("rate", { bytes: textOf(limit), period: textOf(props.period) }),
		egd
			? xmlElement("backend", { model: "egd", type: egd.type }, egd.content)
			: kind === "rng-builtin"
				? xmlElement("backend", { model: "builtin" })
				: xmlElement("backend", { model: "random" }, [textOf(object.filename) ?? "/dev/urandom"]),
		...placeOf(props),
	]);
};

const tpm: Read = (props, parts, driver) => {
	const device = parts.made("-tpmdev", props.tpmdev) ?? {};
	const path = textOf(parts.made("-chardev", device.chardev)?.path) ?? "";
	const backend =
		textOf(device[""]) === "passthrough"
			? xmlElement("backend", { type: "passthrough" }, [xmlElement("device", { path: textOf(device.path) })])
			: path === "" || path.endsWith("swtpm.sock")
				? xmlElement("backend", { type: "emulator", version: "2.0" })
				: xmlElement("backend", { type: "external" }, [xmlElement("source", { type: "unix", mode: "connect", path })]);
	return xmlElement("tpm", { model: driver.replace("-device", "") }, [backend, ...placeOf(props)]);
};

const vsock: Read = (props) =>
	xmlElement("vsock", { model: "virtio" }, [
		// 0 stands for one that is chosen when the guest starts.
		textOf(props["guest-cid"]) === "0"
			? xmlElement("cid", { auto: "yes" })
			: xmlElement("cid", { auto: "no", address: textOf(props["guest-cid"]) }),
		...placeOf(props),
	]);

const panic =
	(model: string): Read =>
	(props) =>
		xmlElement("panic", { model }, [
			props.ioport === undefined
				? undefined
				: xmlElement("address", { type: "isa", iobase: `0x${Number(textOf(props.ioport)).toString(16)}` }),
		]);

/** By QEMU's name of the device. */
const READERS: Readonly<Record<string, Read>> = {
	"isa-serial": serial,
	"isa-debugcon": serial,
	"pci-serial": serial,
	"usb-serial": serial,
	"spapr-vty": serial,
	sclpconsole: serial,
	sclplmconsole: consoleOf("sclplm"),
	virtconsole: consoleOf("virtio"),
	virtserialport: channel,
	"isa-parallel": parallel,
	"usb-tablet": input("tablet", "usb"),
	"usb-mouse": input("mouse", "usb"),
	"usb-kbd": input("keyboard", "usb"),
	"virtio-tablet-pci": input("tablet", "virtio"),
	"virtio-mouse-pci": input("mouse", "virtio"),
	"virtio-keyboard-pci": input("keyboard", "virtio"),
	"virtio-keyboard-ccw": input("keyboard", "virtio"),
	"virtio-input-host-pci": input("passthrough", "virtio"),
	"usb-hub": (props) => xmlElement("hub", { type: "usb" }, placeOf(props)),
	VGA: video("vga", true),
	"cirrus-vga": video("cirrus", true),
	"vmware-svga": video("vmvga", true),
	"qxl-vga": video("qxl", true),
	qxl: video("qxl", false),
	"virtio-vga": video("virtio", true),
	"virtio-vga-gl": video("virtio", true),
	"virtio-gpu-pci": video("virtio", false),
	"virtio-gpu-ccw": video("virtio", false),
	"bochs-display": video("bochs", true),
	ramfb: video("ramfb", true),
	"intel-hda": sound("ich6"),
	"ich9-intel-hda": sound("ich9"),
	AC97: sound("ac97"),
	ES1370: sound("es1370"),
	sb16: sound("sb16"),
	"usb-audio": sound("usb"),
	i6300esb: watchdog("i6300esb"),
	ib700: watchdog("ib700"),
	diag288: watchdog("diag288"),
	"virtio-balloon-pci": balloon,
	"virtio-balloon-ccw": balloon,
	"virtio-rng-pci": rng,
	"virtio-rng-ccw": rng,
	"tpm-tis": tpm,
	"tpm-crb": tpm,
	"vhost-vsock-pci": vsock,
	"vhost-vsock-ccw": vsock,
	pvpanic: panic("isa"),
	"pvpanic-pci": panic("pvpanic"),
};

/** The element of a device; undefined where none is known for it. */
export function nativeDevice(props: Props, parts: NativeParts): XmlElement | undefined {
	const driver = textOf(props.driver) ?? textOf(props[""]) ?? "";
	if (props.netdev !== undefined && props.mac !== undefined) return nic(props, parts, driver);
	return READERS[driver]?.(props, parts, driver);
}
