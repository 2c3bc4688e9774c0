// Panic devices, through which a guest says that it crashed.

import type { PanicDef } from "@virtkit/model/domain/panic";
import { isMachine, isPpc64, isS390, isX86 } from "../machine.ts";
import { checkDeviceRules, type DeviceRule, refuseDevice } from "./device-rule.ts";
import type { DefineContext, DeviceEntry, DomainStep } from "./entry.ts";

/** The way of the machine itself. */
function machineModel({ def }: DefineContext): NonNullable<PanicDef["model"]> {
	if (isMachine(def, "pseries")) return "pseries";
	return isS390(def) ? "s390" : "isa";
}

/** Models that are no device, with the guests that have them and how the error names those. */
const VIRTUAL: Readonly<Record<string, readonly [guests: string, has: (context: DefineContext) => boolean]>> = {
	s390: ["S390 guests support", ({ def }) => isS390(def)],
	hyperv: ["i686 and x86_64 guests support", ({ def }) => isX86(def)],
	pseries: ["pSeries guests support", ({ def }) => isMachine(def, "pseries")],
};

const RULES: readonly DeviceRule<PanicDef>[] = [
	{
		broken: ({ model = "isa" }, context) => {
			const [guests, has] = VIRTUAL[model] ?? [];
			return has && !has(context) && `only ${guests} panic device of model '${model}'`;
		},
	},
	{
		broken: ({ model = "isa", address }) =>
			VIRTUAL[model] !== undefined &&
			address !== undefined &&
			`setting the panic device address is not supported for model '${model}'`,
	},
	{
		broken: ({ model }, { caps }) =>
			model === "isa" && !caps.has("pvpanic") && "the QEMU binary does not support the ISA panic device",
	},
	{
		broken: ({ model, address }) =>
			model === "isa" &&
			address !== undefined &&
			address.type !== "isa" &&
			"panic is supported only with ISA address type",
	},
];

/** Adds the panic device that the machine has anyway. */
export const addMachinePanic: DomainStep = (context) => {
	const { def } = context;
	if (!isS390(def) && !(isPpc64(def) && isMachine(def, "pseries"))) return;
	const own = machineModel(context);
	if (!def.devices.panics.some(({ model }) => model === undefined || model === own)) def.devices.panics.push({});
};

/** Throws XML_ERROR for two devices of one model. */
export const refuseDuplicatePanics: DomainStep = ({ def: { devices } }) => {
	for (const [index, device] of devices.panics.entries())
		if (devices.panics.slice(0, index).some(({ model }) => model === device.model))
			refuseDevice(device, `there are several panic devices of model '${device.model}'`, "XML_ERROR");
};

/** Throws where the guest cannot have one of its panic devices. */
export const checkPanics: DomainStep = (context) => {
	for (const device of context.def.devices.panics) checkDeviceRules(RULES, device, context);
};

export const panic: DeviceEntry<PanicDef> = {
	kind: "panic",
	list: ({ devices }) => devices.panics,
	alias: (_, index) => `panic${index}`,
	complete: (device, context) => {
		device.model ??= machineModel(context);
	},
	build: ({ model, address }, { command }) => {
		if (model !== "isa") return;
		command.addDevice({ driver: "pvpanic", ioport: address?.type === "isa" ? (address.iobase ?? 0) : undefined });
	},
};
