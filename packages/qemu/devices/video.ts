// Video cards.

import type { VideoDef, VideoModel } from "@virtkit/model/domain/video";
import { conventionalSlot, expressSlot, impossibleSlot, virtioSlot } from "../addresses/pci-need.ts";
import { escapeCommas, type JsonObject } from "../command-line/command-line.ts";
import { isMachine, isPpc64, isS390 } from "../machine.ts";
import { vhostUserBackend } from "./chardev-backend.ts";
import { addressProps } from "./device-address.ts";
import { addDevice } from "./device-option.ts";
import { checkDeviceRules, type DeviceRule } from "./device-rule.ts";
import type { DefineContext, DeviceEntry, DomainStep } from "./entry.ts";
import { refuseVirtioOptions, virtioDriver, virtioProps } from "./virtio.ts";

/** What libvirt knows of a model in QEMU. */
interface VideoRow {
	/** Driver of the card that the firmware uses, and of further ones. */
	readonly primary: string;
	readonly further?: string;
	/** KiB of video memory unless told. */
	readonly vram: number;
	/** Whether a smallest resolution can be told. */
	readonly resolution: boolean;
}

const ROWS: Partial<Record<VideoModel, VideoRow>> = {
	vga: { primary: "VGA", vram: 16384, resolution: true },
	cirrus: { primary: "cirrus-vga", vram: 16384, resolution: false },
	vmvga: { primary: "vmware-svga", vram: 16384, resolution: false },
	qxl: { primary: "qxl-vga", further: "qxl", vram: 65536, resolution: true },
	virtio: { primary: "virtio-vga", further: "virtio-gpu", vram: 0, resolution: true },
	bochs: { primary: "bochs-display", vram: 16384, resolution: true },
	ramfb: { primary: "ramfb", vram: 0, resolution: false },
};

/** QEMU's devices whose presence means that a model is supported. */
const DEVICES: Partial<Record<VideoModel, string>> = {
	vga: "VGA",
	cirrus: "cirrus-vga",
	vmvga: "vmware-svga",
	qxl: "qxl",
	virtio: "virtio-gpu-device",
	bochs: "bochs-display",
	ramfb: "ramfb",
};

/** Whether another process draws the card. */
export const isVhostUser = ({ driver }: VideoDef): boolean => driver?.name === "vhostuser";
const UINT_KIB = Math.floor(0xffffffff / 1024);
const QXL_VGAMEM = 16 * 1024;
const powerOfTwo = (value: number): number => (value > 1 ? 2 ** Math.ceil(Math.log2(value)) : value);

function defaultModel({ def, caps }: DefineContext): VideoModel | "default" {
	if (isPpc64(def)) return "vga";
	if (isMachine(def, "armVirt") || isMachine(def, "riscvVirt") || isS390(def)) return "virtio";
	if (caps.has("cirrus-vga")) return "cirrus";
	return caps.has("VGA") ? "vga" : "default";
}

function complete({ model }: VideoDef, context: DefineContext): void {
	if (model.type === "default") model.type = defaultModel(context);
	const row = model.type === "default" ? undefined : ROWS[model.type];
	if (model.type === "qxl") {
		model.vgamem ??= QXL_VGAMEM;
		model.ram = powerOfTwo(model.ram ?? 65536);
	}
	const vram = powerOfTwo(model.vram ?? row?.vram ?? 0);
	if (vram > 0) model.vram = vram;
}

const RULES: readonly DeviceRule<VideoDef>[] = [
	{
		code: "INTERNAL_ERROR",
		broken: ({ model }) => model.type === "default" && "missing video model and cannot determine default",
	},
	{
		broken: (_, { def }) =>
			def.devices.videos.length > 1 &&
			def.devices.videos.some(({ model }) => model.type === "none") &&
			"a 'none' video type must be the only video device defined for the domain",
	},
	{
		broken: (video) =>
			isVhostUser(video) &&
			video.model.type !== "virtio" &&
			"'vhostuser' driver is only supported with 'virtio' device",
	},
	{
		broken: (video) =>
			!isVhostUser(video) &&
			video.model.acceleration?.rendernode !== undefined &&
			"unsupported rendernode accel attribute without 'vhostuser'",
	},
	{
		broken: ({ model: { resolution } }) =>
			resolution !== undefined &&
			(resolution.x === 0 || resolution.y === 0) &&
			"video resolution values must be greater than 0",
	},
	...(["ram", "vram64", "vgamem"] as const).map(
		(name): DeviceRule<VideoDef> => ({
			broken: ({ model }) =>
				model.type !== "qxl" && Boolean(model[name]) && `${name} attribute only supported for video type qxl`,
		}),
	),
	{
		broken: ({ model, address }) =>
			model.type === "ramfb" && address !== undefined && "address not supported for video type ramfb",
	},
	{
		broken: ({ model: { type } }, { caps }) => {
			if (type === "none" || type === "default") return false;
			const device = DEVICES[type];
			return (!device || !caps.has(device)) && `domain configuration does not support video model '${type}'`;
		},
	},
	{
		broken: ({ model }) =>
			isLone(model.type) && !model.primary && `video type '${model.type}' is only valid as primary video device`,
	},
	{
		broken: ({ model }) =>
			isLone(model.type) && (model.heads ?? 1) !== 1 && `video type '${model.type}' doesn't support multiple 'heads'`,
	},
	{
		broken: ({ model }) => model.acceleration?.accel2d === true && "qemu does not support the accel2d setting",
	},
	{
		code: "OVERFLOW",
		broken: ({ model }) =>
			model.type === "qxl" && (model.vram ?? 0) > UINT_KIB && `value for 'vram' must be less than '${UINT_KIB}'`,
	},
	{
		code: "OVERFLOW",
		broken: ({ model }) =>
			model.type === "qxl" && (model.ram ?? 0) > UINT_KIB && `value for 'ram' must be less than '${UINT_KIB}'`,
	},
	{
		broken: ({ model: { type, vgamem = 0 } }) =>
			type === "qxl" && vgamem > 0 && vgamem < 1024 && "value for 'vgamem' must be at least 1 MiB (1024 KiB)",
	},
	{
		broken: ({ model: { type, vgamem = 0 } }) =>
			type === "qxl" && vgamem !== powerOfTwo(vgamem) && "value for 'vgamem' must be power of two",
	},
	{
		code: "XML_ERROR",
		broken: ({ model: { type, resolution } }) =>
			resolution !== undefined &&
			type !== "none" &&
			!(type !== "default" && ROWS[type]?.resolution) &&
			"model resolution is not supported",
	},
	{
		broken: ({ model: { type, vram = 0 } }) =>
			(type === "vga" || type === "vmvga") &&
			vram > 0 &&
			vram < 1024 &&
			"value for 'vram' must be at least 1 MiB (1024 KiB)",
	},
	{
		broken: ({ model: { type, blob } }, { caps }) =>
			type === "virtio" &&
			blob === true &&
			!caps.has("virtio-gpu-device", "blob") &&
			"this QEMU does not support 'blob' for virtio-gpu devices",
	},
	{
		broken: (video, { caps }) =>
			isVhostUser(video) && !caps.has("vhost-user-gpu") && "this QEMU does not support 'vhost-user' video device",
	},
	{
		broken: (video) =>
			!isVhostUser(video) &&
			video.model.acceleration?.accel3d === true &&
			video.model.type !== "virtio" &&
			"3d acceleration is supported only with 'virtio' video device",
	},
	{
		broken: (video, { caps }) =>
			!isVhostUser(video) &&
			video.model.acceleration?.accel3d === true &&
			!caps.has("virtio-gpu-device", "virgl") &&
			!caps.has("virtio-gpu-gl-pci") &&
			!caps.has("virtio-vga-gl") &&
			"3d acceleration is not supported by this QEMU binary",
	},
];

/** Models of which a guest can have only one, its first. */
function isLone(type: VideoDef["model"]["type"]): boolean {
	return type !== "none" && type !== "qxl" && type !== "virtio";
}

/** Gives guests with a display a card, and marks the first one as the firmware's. */
export const settleVideos: DomainStep = (context) => {
	const { videos, graphics } = context.def.devices;
	if (videos.length === 0 && graphics.length > 0) videos.push({ model: { type: "default", heads: 1 } });
	const [first] = videos;
	if (!first) return;
	if (first.model.type === "none") {
		first.model = { type: "none", heads: 0 };
		delete first.driver;
		delete first.address;
	} else {
		first.model.primary = true;
		complete(first, context);
	}
};

/** QEMU's driver of the card. */
function driverOf(video: VideoDef, context: DefineContext): string {
	const { model } = video;
	const { caps } = context;
	const vhostUser = isVhostUser(video);
	const hasVga = model.type !== "virtio" || caps.has(vhostUser ? "vhost-user-vga" : "virtio-vga");
	const primary = model.primary === true && hasVga;
	if (model.type === "virtio" && model.device !== undefined)
		return model.device.endsWith("-vga") || model.device === "virtio-vga-gl"
			? model.device
			: virtioDriver(model.device, video, context);
	const accelerated = model.acceleration?.accel3d === true;
	if (vhostUser) return primary ? "vhost-user-vga" : virtioDriver("vhost-user-gpu", video, context);
	if (model.type !== "virtio")
		return (model.type === "default" ? undefined : ROWS[model.type]?.[primary ? "primary" : "further"]) ?? "";
	if (primary) return accelerated && caps.has("virtio-vga-gl") ? "virtio-vga-gl" : "virtio-vga";
	return virtioDriver(accelerated && caps.has("virtio-gpu-gl-pci") ? "virtio-gpu-gl" : "virtio-gpu", video, context);
}

/** Memory of the card, in each model's own properties. */
function memoryProps({ model: { type, ram = 0, vram = 0, vram64 = 0, vgamem = 0 } }: VideoDef): JsonObject {
	switch (type) {
		case "qxl":
			return {
				ram_size: ram * 1024 || undefined,
				vram_size: vram * 1024 || undefined,
				vram64_size_mb: Math.floor(vram64 / 1024),
				vgamem_mb: Math.floor(vgamem / 1024),
			};
		case "vga":
		case "vmvga":
			return { vgamem_mb: Math.floor(vram / 1024) || undefined };
		case "bochs":
			return { vgamem: vram * 1024 || undefined };
		default:
			return {};
	}
}

/** Id of the character device that speaks to a vhost-user card's process. */
export const videoChardev = ({ alias }: VideoDef): string => `chr-vu-${alias}`;

/** Socket of that process. */
export const videoSocket = ({ alias }: VideoDef, workFolder: string): string => `${workFolder}/${alias}-gpu.sock`;

/** The properties of the card, for -device. */
export function videoProps(video: VideoDef, context: DefineContext): JsonObject {
	const { type, heads, resolution, acceleration } = video.model;
	const virgl = type === "virtio" && !isVhostUser(video) && context.caps.has("virtio-gpu-device", "virgl");
	return {
		driver: driverOf(video, context),
		...(type === "virtio" ? virtioProps(video.driver) : {}),
		id: video.alias,
		blob: video.model.blob,
		edid: video.model.edid,
		virgl: virgl ? acceleration?.accel3d : undefined,
		max_outputs: type === "qxl" || type === "virtio" ? heads || undefined : undefined,
		...(isVhostUser(video) ? { chardev: videoChardev(video) } : memoryProps(video)),
		xres: resolution?.x,
		yres: resolution?.y,
		...addressProps(video, context.def),
	};
}

export const video: DeviceEntry<VideoDef> = {
	kind: "video",
	list: ({ devices }) => devices.videos,
	alias: (_, index) => `video${index}`,
	complete,
	check: (device, context) => {
		checkDeviceRules(RULES, device, context);
		if (device.model.type !== "virtio") refuseVirtioOptions(device.driver);
	},
	pci: ({ model: { type } }, context) => {
		if (type === "virtio") return virtioSlot(context);
		if (type === "bochs") return expressSlot(context);
		if (type === "gop") return impossibleSlot();
		return type === "none" || type === "ramfb" ? undefined : conventionalSlot();
	},
	chipset: ({ model: { type } }, index, { def }) => {
		if (index > 0 || type === "none" || type === "ramfb") return undefined;
		if (isMachine(def, "i440fx")) return { slots: [2], orElsewhere: true };
		return isMachine(def, "q35") ? { slots: [1], orElsewhere: true } : undefined;
	},
	virtio: ({ model: { type } }) => type === "virtio",
	build: (device, context) => {
		if (isVhostUser(device)) {
			const [id, path] = [videoChardev(device), videoSocket(device, context.paths.work)];
			context.command.add("-chardev", `socket,id=${id},path=${escapeCommas(path)}`, vhostUserBackend(id, path));
		}
		if (device.model.type !== "none") addDevice(device, videoProps(device, context), context);
	},
};
