// A command line as a domain document: what its options say of machine, CPUs, memory, boot and screens, with the devices.

import { VirtError } from "@virtkit/base/errors";
import { type XmlElement, xmlElement } from "@virtkit/xml/node";
import { nativeController } from "./native-controllers.ts";
import { nativeDevice } from "./native-devices.ts";
import { DISK_DRIVERS, nativeDisk } from "./native-disks.ts";
import { isOn, type NativeParts, type Props, textOf } from "./native-options.ts";
import { type Content, leaf } from "./place.ts";

/** KiB of an amount as `-m` has it: MiB unless a letter says otherwise. */
function kibOf(text: string): number {
	const [, digits = "", unit = "M"] = /^(\d+)([kKmMgGtT]?)B?$/.exec(text) ?? [];
	if (digits === "")
		throw new VirtError("INVALID_ARG", `option '-m' of the command line gives no amount of memory: '${text}'`);
	return Number(digits) * ({ K: 1, M: 1024, G: 1024 ** 2, T: 1024 ** 3 }[unit.toUpperCase() || "M"] ?? 1024);
}

function memory(parts: NativeParts): Content {
	const props = parts.one("-m") ?? {};
	const size = kibOf(textOf(props.size ?? props[""]) ?? "128");
	const { maxmem, slots } = props;
	return [
		maxmem === undefined
			? undefined
			: xmlElement("maxMemory", { slots: textOf(slots), unit: "KiB" }, [String(kibOf(textOf(maxmem) ?? ""))]),
		xmlElement("memory", { unit: "KiB" }, [String(size)]),
	];
}

/** <numa> of `-numa node`, each cell's memory that of its backend or given in place. */
function numa(parts: NativeParts): XmlElement | undefined {
	const cells = parts.all("-numa").filter((props) => textOf(props[""]) === "node");
	if (cells.length === 0) return undefined;
	return xmlElement(
		"numa",
		{},
		cells.map(({ nodeid, cpus, memdev, mem }) => {
			const bytes = parts.made("-object", memdev)?.size;
			const kib = bytes === undefined ? kibOf(textOf(mem) ?? "0") : Number(textOf(bytes)) / 1024;
			return xmlElement("cell", { id: textOf(nodeid), cpus: textOf(cpus), memory: kib, unit: "KiB" });
		}),
	);
}

function vcpu(parts: NativeParts): XmlElement {
	const smp = parts.one("-smp") ?? {};
	const now = textOf(smp[""] ?? smp.cpus) ?? "1";
	const all = textOf(smp.maxcpus) ?? now;
	return xmlElement("vcpu", { current: all === now ? undefined : now }, [all]);
}

/** <topology>, unless it is the one of guests that say nothing: a socket for each CPU. */
function topology(parts: NativeParts): XmlElement | undefined {
	const { sockets, dies, cores, threads, ...rest } = parts.one("-smp") ?? {};
	const all = textOf(rest.maxcpus ?? rest[""] ?? rest.cpus);
	if (sockets === undefined || (textOf(sockets) === all && dies === undefined)) return undefined;
	return xmlElement("topology", {
		sockets: textOf(sockets),
		dies: textOf(dies),
		cores: textOf(cores) ?? "1",
		threads: textOf(threads) ?? "1",
	});
}

const MODES: Readonly<Record<string, string>> = { host: "host-passthrough", max: "maximum" };

/** Properties of `-cpu` that no <feature> stands for. */
const NO_FEATURE = /^(?:|hv-.*|kvm.*|pmu|migratable|l3-cache|host-cache-info|phys-bits|host-phys-bits.*|vendor)$/;

function cpu(parts: NativeParts): XmlElement | undefined {
	const props = parts.one("-cpu");
	const layout = [topology(parts), numa(parts)];
	const model = textOf(props?.[""]);
	if (props === undefined || model === undefined)
		return layout.some(Boolean) ? xmlElement("cpu", {}, layout) : undefined;
	const features = Object.entries(props)
		.filter(([name]) => !NO_FEATURE.test(name))
		.map(([name, value]) => xmlElement("feature", { policy: isOn(value) ? "require" : "disable", name }));
	const mode = MODES[model];
	if (mode !== undefined) {
		const { migratable } = props;
		return xmlElement("cpu", { mode, check: "none", migratable: textOf(migratable) }, [...layout, ...features]);
	}
	return xmlElement("cpu", { mode: "custom", match: "exact", check: "none" }, [
		xmlElement("model", { fallback: "forbid" }, [model]),
		leaf("vendor", textOf(props.vendor)?.replace("AuthenticAMD", "AMD").replace("GenuineIntel", "Intel")),
		...layout,
		...features,
	]);
}

function os(parts: NativeParts, arch: string): XmlElement {
	const machine = textOf(parts.one("-machine")?.[""]);
	const flash = ["pflash0", "pflash1"].map((name) => flashFile(parts, textOf(parts.one("-machine")?.[name])));
	const boot = parts.one("-boot");
	return xmlElement("os", {}, [
		xmlElement("type", { arch, machine }, ["hvm"]),
		flash[0] === undefined
			? leaf("loader", parts.text("-bios"))
			: xmlElement("loader", { readonly: "yes", type: "pflash", stateless: flash[1] ? undefined : "yes" }, [flash[0]]),
		leaf("nvram", flash[1]),
		leaf("kernel", parts.text("-kernel")),
		leaf("initrd", parts.text("-initrd")),
		leaf("cmdline", parts.text("-append")),
		leaf("dtb", parts.text("-dtb")),
		boot?.menu === undefined
			? undefined
			: xmlElement("bootmenu", { enable: isOn(boot.menu) ? "yes" : "no", timeout: textOf(boot["splash-time"]) }),
		boot?.["reboot-timeout"] === undefined
			? undefined
			: xmlElement("bios", { rebootTimeout: textOf(boot["reboot-timeout"]) }),
	]);
}

function flashFile(parts: NativeParts, node: string | undefined): string | undefined {
	const format = parts.made("-blockdev", node);
	return textOf(parts.made("-blockdev", format?.file)?.filename);
}

function features(parts: NativeParts, arch: string): XmlElement {
	const machine = parts.one("-machine") ?? {};
	const hasTables = ["x86_64", "i686", "aarch64"].includes(arch);
	return xmlElement("features", {}, [
		hasTables && !parts.has("-no-acpi") && textOf(machine.acpi) !== "off" ? xmlElement("acpi") : undefined,
		machine.vmport === undefined ? undefined : xmlElement("vmport", { state: textOf(machine.vmport) }),
		machine.smm === undefined ? undefined : xmlElement("smm", { state: textOf(machine.smm) }),
		parts.all("-device").some(({ driver }) => driver === "vmcoreinfo")
			? xmlElement("vmcoreinfo", { state: "on" })
			: undefined,
		isOn(parts.one("-cpu")?.kvm) || parts.one("-cpu")?.kvm === undefined
			? undefined
			: xmlElement("kvm", {}, [xmlElement("hidden", { state: "on" })]),
	]);
}

function clock(parts: NativeParts): XmlElement {
	const { base, driftfix } = parts.one("-rtc") ?? {};
	const machine = parts.one("-machine") ?? {};
	const hpet = textOf(machine.hpet) ?? (parts.has("-no-hpet") ? "off" : undefined);
	const offset = textOf(base) === "localtime" ? "localtime" : "utc";
	return xmlElement("clock", { offset }, [
		driftfix === undefined
			? undefined
			: xmlElement("timer", { name: "rtc", tickpolicy: textOf(driftfix) === "slew" ? "catchup" : "delay" }),
		hpet === undefined ? undefined : xmlElement("timer", { name: "hpet", present: hpet === "off" ? "no" : "yes" }),
	]);
}

/** QEMU's audio drivers by libvirt's names. */
const AUDIO: Readonly<Record<string, string>> = { pa: "pulseaudio", wav: "file" };

function audio(parts: NativeParts): XmlElement[] {
	return parts.all("-audiodev").map((props) => {
		parts.read.add(props);
		const driver = textOf(props.driver) ?? textOf(props[""]) ?? "";
		return xmlElement("audio", {
			id: /^audio(\d+)$/.exec(textOf(props.id) ?? "")?.[1],
			type: AUDIO[driver] ?? driver,
			path: textOf(props.path),
			serverName: textOf(props.server),
		});
	});
}

/** What lies behind the guest's memory, where the machine names it. */
function backing(parts: NativeParts): XmlElement | undefined {
	const object = parts.made("-object", parts.one("-machine")?.["memory-backend"]);
	const source = /^memory-backend-(file|memfd)$/.exec(textOf(object?.["qom-type"]) ?? "")?.[1];
	if (object === undefined || (source === undefined && !isOn(object.prealloc) && object.share === undefined))
		return undefined;
	return xmlElement("memoryBacking", {}, [
		source === undefined ? undefined : xmlElement("source", { type: source }),
		object.share === undefined ? undefined : xmlElement("access", { mode: isOn(object.share) ? "shared" : "private" }),
		isOn(object.prealloc) ? xmlElement("allocation", { mode: "immediate" }) : undefined,
	]);
}

/** <iothreads> with what is said of each. */
function iothreads(parts: NativeParts): Content {
	const objects = parts.all("-object").filter((object) => object["qom-type"] === "iothread");
	if (objects.length === 0) return [];
	const ids = objects.map((object) => {
		parts.read.add(object);
		return xmlElement("iothread", {
			id: /^iothread(\d+)$/.exec(textOf(object.id) ?? "")?.[1],
			thread_pool_min: textOf(object["thread-pool-min"]),
			thread_pool_max: textOf(object["thread-pool-max"]),
		});
	});
	return [leaf("iothreads", String(objects.length)), xmlElement("iothreadids", {}, ids)];
}

/** `-vnc HOST:N` and `-spice`. */
function graphics(parts: NativeParts): XmlElement[] {
	const vnc = parts.one("-vnc");
	const spice = parts.one("-spice");
	const found: XmlElement[] = [];
	if (vnc !== undefined) {
		const where = textOf(vnc[""] ?? vnc.vnc) ?? "";
		const [, host, display = "0"] = /^\[?(.*?)\]?:(\d+)$/.exec(where) ?? [];
		const socket = where.startsWith("unix:") ? where.slice(5) : undefined;
		found.push(
			socket === undefined
				? xmlElement("graphics", {
						type: "vnc",
						port: 5900 + Number(display),
						autoport: "no",
						websocket: textOf(vnc.websocket),
						sharePolicy: textOf(vnc.share),
						listen: host,
					})
				: xmlElement("graphics", { type: "vnc" }, [xmlElement("listen", { type: "socket", socket })]),
		);
	}
	if (spice?.port !== undefined || spice?.["tls-port"] !== undefined)
		found.push(
			xmlElement("graphics", {
				type: "spice",
				port: textOf(spice.port),
				tlsPort: textOf(spice["tls-port"]),
				autoport: "no",
				listen: textOf(spice.addr),
			}),
		);
	return found;
}

/** The devices, and none of those that a document gets by itself where the command line has none. */
function devices(parts: NativeParts, binary: string): XmlElement {
	const names = new Map<string, number>();
	const all = parts.all("-device");
	const found = all.map((props: Props) => {
		const isDisk = Object.hasOwn(DISK_DRIVERS, textOf(props.driver) ?? "");
		const element = nativeController(props) ?? (isDisk ? nativeDisk(props, parts, names) : nativeDevice(props, parts));
		if (element) parts.read.add(props);
		return element;
	});
	const has = (name: string, type?: string): boolean =>
		found.some((element) => element?.name === name && (type === undefined || element.attributes.type === type));
	return xmlElement("devices", {}, [
		leaf("emulator", binary),
		...found,
		...graphics(parts),
		...audio(parts),
		has("controller", "usb") ? undefined : xmlElement("controller", { type: "usb", model: "none" }),
		has("memballoon") ? undefined : xmlElement("memballoon", { model: "none" }),
		has("video") || graphics(parts).length === 0
			? undefined
			: xmlElement("video", {}, [xmlElement("model", { type: "none" })]),
	]);
}

/** The document. `arch` is that of the emulator. */
export function nativeDomain(parts: NativeParts, binary: string, arch: string): XmlElement {
	const accelerator = textOf(parts.one("-accel")?.[""] ?? parts.one("-machine")?.accel);
	const isKvm = accelerator === "kvm" || parts.has("-enable-kvm");
	const name = parts.one("-name");
	return xmlElement("domain", { type: isKvm ? "kvm" : "qemu" }, [
		leaf("name", textOf(name?.guest ?? name?.[""]) ?? "unnamed"),
		leaf("uuid", parts.text("-uuid")),
		...memory(parts),
		vcpu(parts),
		...iothreads(parts),
		backing(parts),
		os(parts, arch),
		features(parts, arch),
		cpu(parts),
		clock(parts),
		leaf("on_reboot", parts.has("-no-reboot") ? "destroy" : undefined),
		devices(parts, binary),
	]);
}
