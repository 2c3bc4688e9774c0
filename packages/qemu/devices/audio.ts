// Audio backends: where the guest's sound goes on the host.

import { VirtError } from "@virtkit/base/errors";
import type { AudioDef, AudioDirectionDef, AudioType } from "@virtkit/model/domain/audio";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { JsonObject } from "../command-line/command-line.ts";
import { checkDeviceRules, type DeviceRule } from "./device-rule.ts";
import type { DeviceEntry, DomainStep } from "./entry.ts";

/** QEMU's names of backends where they are not libvirt's. */
const DRIVERS: Partial<Record<AudioType, string>> = { file: "wav", pulseaudio: "pa" };

const RULES: readonly DeviceRule<AudioDef>[] = [
	{
		code: "XML_ERROR",
		broken: (audio, { def }) =>
			def.devices.audios.some((other) => other !== audio && other.id === audio.id) &&
			`audio ID ${audio.id} is used multiple times`,
	},
	{
		broken: ({ type }, { def }) =>
			type === "spice" &&
			!def.devices.graphics.some((graphics) => graphics.type === "spice") &&
			"Spice audio is not supported without spice graphics",
	},
	{
		broken: ({ type }, { caps }) =>
			type === "dbus" &&
			!caps.hasSchema("query-display-options/ret-type/+dbus") &&
			"D-Bus audio is not supported with this QEMU",
	},
];

/** Gives the guest the backend that its display implies: silence for VNC and for none, SPICE's own channel for SPICE. */
export const addDefaultAudio: DomainStep = ({ def: { devices } }) => {
	if (devices.audios.length > 0) return;
	// Later displays decide; SDL plays on the desktop by QEMU's own choice, for which no backend is named.
	const chosen: Readonly<Record<string, AudioType | undefined>> = { vnc: "none", spice: "spice" };
	const deciding = devices.graphics.filter(({ type }) => type === "vnc" || type === "spice" || type === "sdl").at(-1);
	const type = devices.graphics.length === 0 ? "none" : deciding && chosen[deciding.type];
	if (type) devices.audios.push({ id: 1, type });
};

/** The backend with that number. */
export function audioOf(def: DomainDef, number: number): AudioDef | undefined {
	return def.devices.audios.find(({ id }) => id === number);
}

/** Id of the backend with that number, of the first one where none is named. Throws INTERNAL_ERROR where there is none. */
export function audioId(def: DomainDef, number: number | undefined): string {
	const { audios } = def.devices;
	const found = number === undefined ? audios[0] : audioOf(def, number);
	if (!found) throw new VirtError("INTERNAL_ERROR", "unable to find audio backend for sound device");
	return `audio${found.id}`;
}

/** A rule that an audio backend which is named must be there. */
export function missingAudio(number: number | undefined, def: DomainDef): string | false {
	return (
		number !== undefined && !def.devices.audios.some(({ id }) => id === number) && `no audio device with ID ${number}`
	);
}

/** One direction; undefined where nothing is said of it. */
function directionProps(direction: AudioDirectionDef | undefined): JsonObject | undefined {
	if (!direction) return undefined;
	const { settings } = direction;
	const props: JsonObject = {
		"mixing-engine": direction.mixingEngine,
		"fixed-settings": direction.fixedSettings,
		voices: direction.voices,
		"buffer-length": direction.bufferLength,
		frequency: settings?.frequency,
		channels: settings?.channels,
		format: settings?.format,
		dev: direction.dev,
		"server-name": direction.serverName,
		"client-name": direction.clientName,
		"connect-ports": direction.connectPorts,
		"exact-name": direction.exactName,
		"buffer-count": direction.bufferCount,
		"try-poll": direction.tryPoll,
		name: direction.name,
		"stream-name": direction.streamName,
		latency: direction.latency,
	};
	return Object.values(props).some((value) => value !== undefined) ? props : undefined;
}

/** The properties of the backend, for -audiodev. */
export function audioProps(audio: AudioDef): JsonObject {
	return {
		id: `audio${audio.id}`,
		driver: DRIVERS[audio.type] ?? audio.type,
		"timer-period": audio.timerPeriod,
		"try-mmap": audio.tryMMap,
		exclusive: audio.exclusive,
		"dsp-policy": audio.dspPolicy,
		server: audio.serverName,
		path: audio.path,
		in: directionProps(audio.input),
		out: directionProps(audio.output),
	};
}

export const audio: DeviceEntry<AudioDef> = {
	kind: "audio",
	list: ({ devices }) => devices.audios,
	alias: (device) => `audio${device.id}`,
	check: (device, context) => checkDeviceRules(RULES, device, context),
	build: (device, { command }) => {
		if (device.runtimeDir !== undefined) command.environment.PIPEWIRE_RUNTIME_DIR = device.runtimeDir;
		if (device.driver !== undefined) command.environment.SDL_AUDIODRIVER = device.driver;
		command.addJson("-audiodev", audioProps(device));
	},
};
