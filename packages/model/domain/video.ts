// Video cards.

import { integer, oneOf, onOff, uint, yesNo } from "@virtkit/xml/codec";
import { documentError } from "@virtkit/xml/read";
import { attr, child, element, type Infer, type Loose } from "@virtkit/xml/schema";
import { deviceInfo, virtioOptions } from "./device-common.ts";
import { sanitizedPath } from "./sanitized-path.ts";

/** Models of video cards (virDomainVideoType). */
export const VIDEO_MODELS = [
	"vga",
	"cirrus",
	"vmvga",
	"xen",
	"vbox",
	"qxl",
	"parallels",
	"virtio",
	"gop",
	"none",
	"bochs",
	"ramfb",
] as const;
export type VideoModel = (typeof VIDEO_MODELS)[number];

const acceleration = element(
	{
		accel3d: attr(yesNo, { doc: "Whether the guest gets 3D acceleration." }),
		accel2d: attr(yesNo, { doc: "Whether the guest gets 2D acceleration." }),
		rendernode: attr(sanitizedPath, { absent: "", doc: "Device node of the host's GPU, for vhost-user." }),
	},
	{
		onRead: ({ accel3d, accel2d, rendernode }, found) => {
			if (accel3d === undefined && accel2d === undefined && rendernode === undefined)
				throw documentError(found, "missing values for acceleration", "CONFIG_UNSUPPORTED");
		},
	},
);

const bothGiven = (self: Loose): boolean => Boolean(self.x && self.y);
const resolution = element({
	x: attr(uint, { required: true, show: bothGiven, doc: "Pixels across." }),
	y: attr(uint, { required: true, show: bothGiven, doc: "Pixels down." }),
});

const memory = (doc: string) => attr(integer({ min: 0, max: 0xffffffff }), { absent: 0, doc });

const isVirtio = (self: Loose): boolean => self.type === "virtio";
/** QEMU's devices of model virtio. */
const VIRTIO_DEVICES = [
	"virtio-vga",
	"virtio-vga-gl",
	"virtio-gpu",
	"virtio-gpu-gl",
	"vhost-user-vga",
	"vhost-user-gpu",
] as const;

const model = element({
	type: attr(oneOf("default", ...VIDEO_MODELS), {
		default: "default",
		code: "CONFIG_UNSUPPORTED",
		doc: "Model of the card.",
	}),
	ram: memory("KiB of the primary bar (qxl)."),
	vram: memory("KiB of video memory."),
	vram64: memory("KiB of the secondary bar that needs 64 bits (qxl)."),
	vgamem: memory("KiB of the VGA frame buffer (qxl)."),
	heads: attr(uint, { default: 1, show: (self) => Boolean(self.heads), code: "INTERNAL_ERROR", doc: "Screens." }),
	primary: attr(
		{ ...yesNo, parse: (text) => text === "yes" },
		{ absent: false, doc: "Whether the firmware and the first console use it." },
	),
	blob: attr(onOff, {
		when: isVirtio,
		doc: "Whether the guest's pictures are shared with the host without copies.",
	}),
	edid: attr(onOff, { doc: "Whether the guest is told what the screen can show." }),
	device: attr(oneOf(...VIRTIO_DEVICES), { when: isVirtio, doc: "The QEMU device that a virtio card is." }),
	acceleration: child(acceleration, { keepEmpty: true, doc: "Acceleration." }),
	resolution: child(resolution, { keepEmpty: true, doc: "Smallest size of the screen." }),
});

const driver = element({
	...virtioOptions,
	vgaconf: attr(oneOf("io", "on", "off"), { doc: "How a VGA card is emulated (bhyve)." }),
	name: attr(oneOf("qemu", "vhostuser"), { doc: "What draws: QEMU, or a process of its own." }),
});

/** The <video> element. */
export const video = element({
	driver: child(driver, { doc: "How it is served." }),
	model: child(model, { required: true, implied: true, doc: "The card." }),
	...deviceInfo,
});
/** A video card. */
export type VideoDef = Infer<typeof video>;
