// Sound cards, and the codecs behind those that have them apart.

import type { SoundDef, SoundModel } from "@virtkit/model/domain/sound";
import { conventionalSlot, impossibleSlot, virtioSlot } from "../addresses/pci-need.ts";
import type { JsonObject } from "../command-line/command-line.ts";
import { isMachine } from "../machine.ts";
import { audioId, missingAudio } from "./audio.ts";
import { addressProps } from "./device-address.ts";
import { addDevice } from "./device-option.ts";
import { checkDeviceRules, type DeviceRule } from "./device-rule.ts";
import type { BuildContext, DefineContext, DeviceEntry } from "./entry.ts";
import { findDescribed } from "./plug-find.ts";
import { virtioDriver, virtioProps } from "./virtio.ts";

/** QEMU's drivers; the speaker of the PC is not one, and ich7 is unknown to QEMU. */
const DRIVERS: Partial<Record<SoundModel, string>> = {
	es1370: "ES1370",
	ac97: "AC97",
	ich6: "intel-hda",
	ich9: "ich9-intel-hda",
	usb: "usb-audio",
	sb16: "sb16",
};

const CODEC_DRIVERS = { duplex: "hda-duplex", micro: "hda-micro", output: "hda-output" } as const;

const PCI_MODELS: ReadonlySet<SoundModel> = new Set(["es1370", "ac97", "ich6", "ich9"]);

const hasCodecs = ({ model }: SoundDef): boolean => model === "ich6" || model === "ich9";

const RULES: readonly DeviceRule<SoundDef>[] = [
	{
		broken: ({ model }, { caps }) =>
			model === "virtio" &&
			!caps.has("virtio-sound-pci") &&
			"virtio-sound controller is not supported by this QEMU binary",
	},
	{ code: "XML_ERROR", broken: ({ audio }, { def }) => missingAudio(audio?.id, def) },
	{
		broken: ({ model }, { caps }) =>
			model === "usb" && !caps.has("usb-audio") && "usb-audio controller is not supported by this QEMU binary",
	},
	{
		broken: ({ model }, { caps }) =>
			model === "ich9" &&
			!caps.has("ich9-intel-hda") &&
			"The ich9-intel-hda audio controller is not supported in this QEMU binary",
	},
	{
		code: "INTERNAL_ERROR",
		broken: ({ model }) => model === "ich7" && `sound card model '${model}' is not supported by qemu`,
	},
	{
		broken: (device, { caps }) => {
			const codecs = hasCodecs(device) ? device.codec : [];
			const missing = codecs.map(({ type }) => CODEC_DRIVERS[type]).find((driver) => !caps.has(driver));
			return missing && `${missing} not supported in this QEMU binary`;
		},
	},
];

/** The properties of the card, for -device and device_add. */
export function soundProps(device: SoundDef, context: DefineContext): JsonObject {
	const { def } = context;
	return {
		driver: device.model === "virtio" ? virtioDriver("virtio-sound", device, context) : DRIVERS[device.model],
		...virtioProps(device.driver),
		id: device.alias,
		multi: device.multichannel,
		streams: device.streams,
		audiodev: hasCodecs(device) ? undefined : audioId(def, device.audio?.id),
		...addressProps(device, def),
	};
}

/** The properties of the card's codecs; a card that names none has one for both directions. */
export function codecProps({ alias, audio, codec }: SoundDef, { def }: DefineContext): JsonObject[] {
	const codecs = codec.length > 0 ? codec : [{ type: "duplex" } as const];
	return codecs.map(({ type }, cad) => ({
		driver: CODEC_DRIVERS[type],
		id: `${alias}-codec${cad}`,
		bus: `${alias}.0`,
		cad,
		audiodev: audioId(def, audio?.id),
	}));
}

function buildSound(device: SoundDef, context: BuildContext): void {
	const { command } = context;
	if (device.model === "pcspk") return command.add("-soundhw", "pcspk");
	addDevice(device, soundProps(device, context), context);
	if (hasCodecs(device)) for (const props of codecProps(device, context)) command.addDevice(props);
}

export const sound: DeviceEntry<SoundDef> = {
	kind: "sound",
	list: ({ devices }) => devices.sounds,
	alias: (_, index) => `sound${index}`,
	check: (device, context) => checkDeviceRules(RULES, device, context),
	pci: ({ model }, context) => {
		if (model === "virtio") return virtioSlot(context);
		if (model === "ich7") return impossibleSlot();
		return PCI_MODELS.has(model) ? conventionalSlot() : undefined;
	},
	// The chipset of q35 machines has its audio controller there: the first one takes its place.
	chipset: ({ model }, _, { def }) => (model === "ich9" && isMachine(def, "q35") ? { slots: [0x1b] } : undefined),
	usb: ({ model }) => model === "usb",
	virtio: ({ model }) => model === "virtio",
	build: buildSound,
	hotplug: {
		only: "stored",
		find: findDescribed(
			({ def }) => def.devices.sounds,
			() => "device not present in domain configuration",
		),
	},
};
