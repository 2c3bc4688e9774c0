// Audio backends: where the guest's sound goes on the host, and where it comes from.

import { int, integer, oneOf, str, uint, yesNo } from "@virtkit/xml/codec";
import { documentError } from "@virtkit/xml/read";
import { attr, child, element, type Infer, type Loose } from "@virtkit/xml/schema";

/** Kinds of backends (virDomainAudioType). */
export const AUDIO_TYPES = [
	"none",
	"alsa",
	"coreaudio",
	"jack",
	"oss",
	"pulseaudio",
	"sdl",
	"spice",
	"file",
	"dbus",
	"pipewire",
] as const;
export type AudioType = (typeof AUDIO_TYPES)[number];

const positive = integer({ min: 1, max: 0xffffffff });
const of =
	(...types: readonly AudioType[]) =>
	(_: Loose, parent: Loose | undefined): boolean =>
		types.includes(parent?.type as AudioType);

const settings = element({
	frequency: attr(positive, { doc: "Samples a second." }),
	channels: attr(positive, { doc: "Channels." }),
	format: attr(oneOf("u8", "s8", "u16", "s16", "u32", "s32", "f32"), { doc: "Format of a sample." }),
});

const direction = element(
	{
		mixingEngine: attr(yesNo, { doc: "Whether QEMU mixes streams and converts them." }),
		fixedSettings: attr(yesNo, { doc: "Whether the backend is always used with the settings below." }),
		voices: attr(positive, { doc: "Streams at once." }),
		bufferLength: attr(positive, { doc: "Microseconds that are buffered." }),
		dev: attr(str, { when: of("alsa", "oss"), doc: "Device." }),
		serverName: attr(str, { when: of("jack"), doc: "JACK server." }),
		clientName: attr(str, { when: of("jack"), doc: "Name towards the server." }),
		connectPorts: attr(str, { when: of("jack"), doc: "Regular expression of ports to connect to." }),
		exactName: attr(yesNo, { when: of("jack"), doc: "Whether the name must be had exactly." }),
		bufferCount: attr(uint, { when: of("coreaudio", "oss", "sdl"), absent: 0, doc: "Buffers." }),
		tryPoll: attr(yesNo, { when: of("oss"), doc: "Whether the device is polled." }),
		name: attr(str, { when: of("pulseaudio", "pipewire"), doc: "Sink or source." }),
		streamName: attr(str, { when: of("pulseaudio", "pipewire"), doc: "Name towards the server." }),
		latency: attr(uint, {
			when: of("pulseaudio", "pipewire"),
			absent: 0,
			doc: "Microseconds of latency that are aimed at.",
		}),
		settings: child(settings, {
			keepEmpty: true,
			show: (self) => self.fixedSettings === true,
			doc: "Settings that do not change.",
		}),
	},
	{
		onRead: (value, found) => {
			const fail = (message: string): never => {
				throw documentError(found, message, "CONFIG_UNSUPPORTED");
			};
			if (value.fixedSettings && !value.mixingEngine) fail("fixed audio settings requires mixing engine");
			if (value.settings && !value.fixedSettings) fail("audio settings specified without fixed settings flag");
			if (value.fixedSettings) value.settings ??= {};
		},
	},
);
/** One direction of a backend. */
export type AudioDirectionDef = Infer<typeof direction>;

const is =
	(type: AudioType) =>
	(self: Loose): boolean =>
		self.type === type;

/** The <audio> element. */
export const audio = element({
	id: attr(positive, { required: true, doc: "Number by which sound cards and consoles name the backend." }),
	type: attr(oneOf(...AUDIO_TYPES), { required: true, doc: "Kind of the backend." }),
	timerPeriod: attr(positive, { doc: "Microseconds between rounds of QEMU's audio." }),
	tryMMap: attr(yesNo, { when: is("oss"), doc: "Whether the device is mapped into memory." }),
	exclusive: attr(yesNo, { when: is("oss"), doc: "Whether nobody else can use the device meanwhile." }),
	dspPolicy: attr(
		{ ...int, parse: (text) => ((value) => (value === undefined || value < 0 ? undefined : value))(int.parse(text)) },
		{ when: is("oss"), doc: "Timing policy of OSS 4." },
	),
	serverName: attr(str, { when: is("pulseaudio"), doc: "PulseAudio server." }),
	driver: attr(oneOf("esd", "alsa", "arts", "pulseaudio"), { when: is("sdl"), doc: "SDL's own backend." }),
	runtimeDir: attr(str, { when: is("pipewire"), doc: "Folder of PipeWire's socket." }),
	path: attr(str, { when: is("file"), doc: "Path of the WAV file." }),
	input: child(direction, { doc: "Sound that the guest records." }),
	output: child(direction, { doc: "Sound that the guest plays." }),
});
/** An audio backend. */
export type AudioDef = Infer<typeof audio>;
