// Sound cards, and the codecs behind those that have them apart.

import { integer, oneOf, uint, yesNo } from "@virtkit/xml/codec";
import { attr, child, element, type Infer, type Loose, list } from "@virtkit/xml/schema";
import { deviceInfo, virtioDriver } from "./device-common.ts";

/** Models of sound cards (virDomainSoundModel). */
export const SOUND_MODELS = ["sb16", "es1370", "pcspk", "ac97", "ich6", "ich9", "usb", "ich7", "virtio"] as const;
export type SoundModel = (typeof SOUND_MODELS)[number];

const codec = element({
	type: attr(oneOf("duplex", "micro", "output"), {
		required: true,
		missing: "CONFIG_UNSUPPORTED",
		code: "CONFIG_UNSUPPORTED",
		doc: "What the codec can do.",
	}),
});

const is =
	(model: SoundModel) =>
	(self: Loose): boolean =>
		self.model === model;

/** The <sound> element. */
export const sound = element({
	model: attr(oneOf(...SOUND_MODELS), { required: true, doc: "Model of the card." }),
	multichannel: attr(yesNo, { when: is("usb"), doc: "Whether a USB card has more than two channels." }),
	streams: attr(uint, { when: is("virtio"), absent: 0, doc: "Streams of a virtio card." }),
	codec: list(codec, {
		when: (self) => self.model === "ich6" || self.model === "ich9",
		doc: "A codec of an Intel HD Audio controller.",
	}),
	audio: child(
		element({
			id: attr(integer({ min: 1, max: 0xffffffff }), { required: true, doc: "Number of the audio backend." }),
		}),
		{ doc: "Audio backend that the card plays on." },
	),
	driver: child(virtioDriver, { when: is("virtio"), doc: "How a virtio card is served." }),
	...deviceInfo,
});
/** A sound card. */
export type SoundDef = Infer<typeof sound>;
