// Raw options and variables of the definition's QEMU namespace, and its overrides of device properties.

import { VirtError } from "@virtkit/base/errors";
import type { QemuOverrideDef } from "@virtkit/model/domain/qemu-namespace";
import type { BuildContext } from "../devices/entry.ts";
import type { Json, JsonObject } from "./command-line.ts";

/** Appends the definition's own words and variables. */
export function buildExtra({ command, def }: BuildContext): void {
	const { qemuCommandline } = def;
	if (!qemuCommandline) return;
	command.from({ element: qemuCommandline, what: "qemu:commandline" }, () => {
		for (const { value } of qemuCommandline.arg) command.add(value);
		for (const { name, value } of qemuCommandline.env) command.environment[name] = value ?? "";
	});
}

type Property = NonNullable<QemuOverrideDef["device"][number]["frontend"]>["property"][number];

function overrideValue({ type, value = "" }: Property): Json {
	if (type === "string") return value;
	if (type === "bool") return value === "true";
	return Number(value);
}

/** `device` with the properties that the definition overrides for its id. */
export function overrideDevice(device: JsonObject, override: QemuOverrideDef | undefined): JsonObject {
	const own = override?.device.find(({ alias }) => alias === device.id);
	if (!own?.frontend) return device;
	const changed: { [key: string]: Json | undefined } = { ...device };
	for (const property of own.frontend.property) {
		if (property.type === "remove") delete changed[property.name];
		else changed[property.name] = overrideValue(property);
	}
	return changed;
}

/** Throws where an override names a device that the guest has not. */
export function checkOverrides({ command, def }: BuildContext): void {
	for (const { alias } of def.qemuOverride?.device ?? [])
		if (!command.deviceIds.has(alias))
			throw new VirtError("CONFIG_UNSUPPORTED", `qemu:override names device '${alias}', which the guest does not have`);
}
