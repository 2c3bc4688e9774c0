// Parallel ports.

import { VirtError } from "@virtkit/base/errors";
import type { ParallelDef } from "@virtkit/model/domain/parallel";
import type { JsonObject } from "../command-line/command-line.ts";
import { isMachine, isS390 } from "../machine.ts";
import { addChardev } from "./chardev-build.ts";
import { checkChardev } from "./chardev-check.ts";
import { findChardev, refuseTwin } from "./chardev-plug.ts";
import { refuseDevice } from "./device-rule.ts";
import type { DeviceEntry } from "./entry.ts";

/** The properties of the port, for -device and device_add. */
export function parallelProps({ alias }: ParallelDef): JsonObject {
	return { driver: "isa-parallel", chardev: `char${alias}`, id: alias };
}

export const parallel: DeviceEntry<ParallelDef> = {
	kind: "parallel",
	list: ({ devices }) => devices.parallels,
	alias: (_, index) => `parallel${index}`,
	check: (device, context) => {
		checkChardev(device, device, context);
		if (isS390(context.def) || isMachine(context.def, "pseries"))
			refuseDevice(device, "machines of this kind have no parallel ports");
	},
	zpci: false,
	hotplug: {
		checkAttach: (device, { def }, live) => {
			refuseTwin(device, def.devices.parallels);
			if (live) throw new VirtError("INTERNAL_ERROR", "parallel ports cannot be hot plugged");
		},
		find: findChardev("parallel", ({ def }) => def.devices.parallels),
		checkDetach: () => {
			throw new VirtError("INTERNAL_ERROR", "parallel ports cannot be hot unplugged");
		},
	},
	build: (device, context) => {
		addChardev(device, `char${device.alias}`, context);
		context.command.addDevice(parallelProps(device));
	},
};
