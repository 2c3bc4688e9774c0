// What the devices of a guest may be, by emulator: the tables behind `virsh domcapabilities`.

import type { EmulatorCapabilities } from "./emulator.ts";

/** What a row's condition looks at. */
export interface EnumContext {
	readonly emulator: EmulatorCapabilities;
	readonly isPseries: boolean;
	readonly hasBuiltinIde: boolean;
	/** Devices of this host can be given to guests. */
	readonly vfio: boolean;
	/** Versions of TPM that the host's swtpm emulates; undefined without swtpm. */
	readonly swtpm: readonly string[] | undefined;
}

type Condition = (context: EnumContext) => boolean;

/** A value, and when it can be had; always where it stands alone. */
export type EnumValue = string | readonly [value: string, condition: Condition];

export interface DeviceRow {
	readonly name: string;
	/** Left out or `supported='no'` without; always supported where absent. */
	readonly supported?: Condition;
	readonly enums: Readonly<Record<string, readonly EnumValue[]>>;
	/** Enums that are left out where they are empty. */
	readonly omitEmpty?: readonly string[];
}

/** Any of these QOM types. */
const has =
	(...types: readonly string[]): Condition =>
	({ emulator }) =>
		types.some((type) => emulator.has(type));
const schema =
	(path: string): Condition =>
	({ emulator }) =>
		emulator.hasSchema(path);

const transitional = has("virtio-blk-pci-transitional", "virtio-net-pci-transitional");
const spice: Condition = ({ emulator }) => emulator.hasOption("spice");
const tpmEmulator: Condition = (context) => context.swtpm !== undefined && has("tpm-emulator")(context);
const virtioModels: readonly EnumValue[] = [
	"virtio",
	["virtio-transitional", transitional],
	["virtio-non-transitional", transitional],
];
const virtioRng = has("virtio-rng-pci", "virtio-rng-ccw", "virtio-rng-device");
const USB_CONTROLLERS = [
	"piix3-usb-uhci",
	"piix4-usb-uhci",
	"usb-ehci",
	"ich9-usb-ehci1",
	"vt82c686b-usb-uhci",
	"pci-ohci",
	"nec-usb-xhci",
	"qemu-xhci",
] as const;
const TPM_MODELS = {
	"tpm-tis": ["tpm-tis", "tpm-tis-device"],
	"tpm-crb": ["tpm-crb"],
	"tpm-spapr": ["tpm-spapr"],
	"spapr-tpm-proxy": ["spapr-tpm-proxy"],
} as const;
const tpmModels = Object.entries(TPM_MODELS).map(([model, types]): EnumValue => [model, has(...types)]);

/** Memory of a guest. */
export const MEMORY_BACKING: DeviceRow = {
	name: "memoryBacking",
	enums: { sourceType: ["file", "anonymous", ["memfd", has("memory-backend-memfd")]] },
};

/** In the order of the document. */
export const DEVICES: readonly DeviceRow[] = [
	{
		name: "disk",
		enums: {
			diskDevice: ["disk", "cdrom", ["floppy", ({ isPseries }) => !isPseries], "lun"],
			bus: [
				["ide", ({ hasBuiltinIde }) => hasBuiltinIde],
				["fdc", ({ isPseries }) => !isPseries],
				"scsi",
				"virtio",
				["usb", has("usb-storage")],
				["sata", has("ich9-ahci")],
			],
			model: virtioModels,
		},
	},
	{
		name: "graphics",
		enums: {
			type: [
				["sdl", schema("query-display-options/ret-type/+sdl")],
				["vnc", schema("query-vnc")],
				["spice", spice],
				["egl-headless", schema("query-display-options/ret-type/+egl-headless")],
				["dbus", schema("query-display-options/ret-type/+dbus")],
			],
		},
	},
	{
		name: "video",
		enums: {
			modelType: [
				["vga", has("VGA")],
				["cirrus", has("cirrus-vga")],
				["vmvga", has("vmware-svga")],
				["qxl", has("qxl")],
				["virtio", has("virtio-gpu-pci", "virtio-gpu-ccw", "virtio-gpu-device")],
				"none",
				["bochs", has("bochs-display")],
				["ramfb", has("ramfb")],
			],
		},
	},
	{
		name: "hostdev",
		enums: {
			mode: ["subsystem"],
			startupPolicy: ["default", "mandatory", "requisite", "optional"],
			subsysType: [["usb", has(...USB_CONTROLLERS)], "pci", "scsi"],
			capsType: [],
			pciBackend: [
				["default", (context) => context.vfio && has("vfio-pci")(context)],
				["vfio", (context) => context.vfio && has("vfio-pci")(context)],
			],
		},
	},
	{
		name: "rng",
		enums: {
			model: [
				["virtio", virtioRng],
				["virtio-transitional", (context) => virtioRng(context) && transitional(context)],
				["virtio-non-transitional", (context) => virtioRng(context) && transitional(context)],
			],
			backendModel: [
				["random", has("rng-random")],
				["egd", has("rng-egd")],
				["builtin", has("rng-builtin")],
			],
		},
	},
	{
		name: "filesystem",
		enums: { driverType: ["path", "handle", ["virtiofs", has("vhost-user-fs-device")]] },
	},
	{
		name: "tpm",
		supported: has(...Object.values(TPM_MODELS).flat()),
		enums: {
			model: tpmModels,
			backendModel: [
				["passthrough", has("tpm-passthrough")],
				["emulator", tpmEmulator],
				["external", tpmEmulator],
			],
			backendVersion: ["1.2", "2.0"].map(
				(version): EnumValue => [version, ({ swtpm }) => swtpm?.includes(version) ?? false],
			),
		},
		omitEmpty: ["backendVersion"],
	},
	{ name: "redirdev", supported: has("usb-redir"), enums: { bus: ["usb"] } },
	{ name: "channel", enums: { type: ["pty", "unix", ["spicevmc", spice]] } },
];

/** Features that are either there or not. */
export const FEATURES: Readonly<Record<string, Condition>> = {
	vmcoreinfo: has("vmcoreinfo"),
	genid: has("vmgenid"),
	backingStoreInput: () => true,
	backup: (context) => schema("blockdev-backup")(context) && schema("block-dirty-bitmap-merge")(context),
};

/** The values of a row's enum that can be had. */
export function valuesOf(values: readonly EnumValue[], context: EnumContext): string[] {
	return values
		.filter((value) => typeof value === "string" || value[1](context))
		.map((value) => (typeof value === "string" ? value : value[0]));
}
