// Sources of randomness.

import type { RngDef } from "@virtkit/model/domain/rng";
import { virtioSlot } from "../addresses/pci-need.ts";
import type { JsonObject } from "../command-line/command-line.ts";
import { addChardev } from "./chardev-build.ts";
import { checkChardev } from "./chardev-check.ts";
import { addressProps } from "./device-address.ts";
import { addDevice } from "./device-option.ts";
import type { BuildContext, DefineContext, DeviceEntry } from "./entry.ts";
import { findDescribed } from "./plug-find.ts";
import { virtioDriver, virtioProps } from "./virtio.ts";

/** Milliseconds of a limit's period unless told (libvirt's default). */
const PERIOD_MS = 1000;

/** The object that randomness comes from, for -object and object-add. */
export function rngBackend({ alias, backend }: RngDef): JsonObject {
	const id = `obj${alias}`;
	if (backend.model === "random") return { "qom-type": "rng-random", id, filename: backend.file };
	if (backend.model === "egd") return { "qom-type": "rng-egd", id, chardev: `char${alias}` };
	return { "qom-type": "rng-builtin", id };
}

/** The properties of the device, for -device and device_add. */
export function rngProps(device: RngDef, context: DefineContext): JsonObject {
	const { alias: id, rate } = device;
	return {
		driver: virtioDriver("virtio-rng", device, context, device.model),
		...virtioProps(device.driver),
		rng: `obj${id}`,
		id,
		"max-bytes": rate?.bytes,
		period: rate?.bytes === undefined ? undefined : (rate.period ?? PERIOD_MS),
		...addressProps(device, context.def),
	};
}

function buildRng(device: RngDef, context: BuildContext): void {
	const { type, ...backend } = device.backend;
	if (type !== undefined) addChardev({ ...backend, type }, `char${device.alias}`, context);
	context.command.addJson("-object", rngBackend(device));
	addDevice(device, rngProps(device, context), context);
}

export const rng: DeviceEntry<RngDef> = {
	kind: "rng",
	list: ({ devices }) => devices.rngs,
	alias: (_, index) => `rng${index}`,
	complete: ({ backend }) => {
		if (backend.model === "random") backend.file ??= "/dev/random";
	},
	check: (device, context) => {
		const { type, ...backend } = device.backend;
		if (type !== undefined) checkChardev({ ...backend, type }, device, context);
	},
	pci: ({ model }, context) => virtioSlot(context, model),
	virtio: () => true,
	build: buildRng,
	hotplug: {
		find: findDescribed(
			({ def }) => def.devices.rngs,
			({ backend }) => `model '${backend.model}' RNG device not present in domain configuration`,
		),
	},
};
