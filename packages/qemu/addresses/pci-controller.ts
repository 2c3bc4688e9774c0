// What follows for a PCI controller from where it was put: its QEMU device, chassis, port and bus numbers.

import { VirtError } from "@virtkit/base/errors";
import type { ControllerDef, PciControllerModel, PciModelName } from "@virtkit/model/domain/controller";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { DefineContext } from "../devices/entry.ts";
import { isMachine } from "../machine.ts";

type PciTarget = NonNullable<ControllerDef["target"]>;

const MODEL_NAMES: Partial<Record<PciControllerModel, PciModelName>> = {
	"pci-bridge": "pci-bridge",
	"dmi-to-pci-bridge": "i82801b11-bridge",
	"pcie-to-pci-bridge": "pcie-pci-bridge",
	"pcie-root-port": "pcie-root-port",
	"pcie-switch-upstream-port": "x3130-upstream",
	"pcie-switch-downstream-port": "xio3130-downstream",
	"pci-expander-bus": "pxb",
	"pcie-expander-bus": "pxb-pcie",
};

function defaultModelName(model: PciControllerModel, { def, caps }: DefineContext): PciModelName | undefined {
	if (model === "pci-root") return isMachine(def, "pseries") ? "spapr-pci-host-bridge" : undefined;
	if (model === "pcie-root-port" && !caps.has("pcie-root-port")) return "ioh3420";
	return MODEL_NAMES[model];
}

type Settle = (target: PciTarget, controller: ControllerDef, context: DefineContext) => void;

/** What each model's target gets where the document does not say. */
const TARGETS: Partial<Record<PciControllerModel, Settle>> = {
	"pci-bridge": (target, { index }) => {
		target.chassisNr ??= index;
	},
	"pcie-root-port": (target, { index, address }) => {
		target.chassis ??= index;
		if (address?.type === "pci") target.port ??= (address.slot << 3) + address.function;
	},
	"pcie-switch-downstream-port": (target, { index, address }) => {
		target.chassis ??= index;
		if (address?.type === "pci") target.port ??= address.slot;
	},
	"pci-expander-bus": settleBusNumber,
	"pcie-expander-bus": settleBusNumber,
	"pci-root": (target, { index }, { def }) => {
		if (isMachine(def, "pseries")) target.index ??= index === 0 ? 0 : unusedTargetIndex(def);
	},
};

/** Host bridges that a pSeries machine can have besides the first. */
const MAX_TARGET_INDEX = 31;

function unusedTargetIndex({ devices }: DomainDef): number {
	const used = new Set(
		devices.controllers.flatMap(({ modelName, target }) =>
			modelName?.name === "spapr-pci-host-bridge" ? [target?.index] : [],
		),
	);
	for (let index = 1; index <= MAX_TARGET_INDEX; index++) if (!used.has(index)) return index;
	throw new VirtError("CONFIG_UNSUPPORTED", "No usable target index found for another PCI host bridge");
}

/** An expander bus numbers itself below all others, leaving one number for the bridge inside it. */
function settleBusNumber(target: PciTarget, { index }: ControllerDef, { def }: DefineContext): void {
	if (target.busNr !== undefined) return;
	const lowest = Math.min(256, ...def.devices.controllers.flatMap((each) => each.target?.busNr ?? []));
	if (lowest <= 2)
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			`No free busNr lower than current lowest busNr is available to auto-assign to controller ${index}. Must be manually assigned`,
		);
	target.busNr = lowest - 2;
}

/** Fills in what the document leaves out of a PCI controller that has its address. */
export function completePciController(controller: ControllerDef, context: DefineContext): void {
	const model = controller.model as PciControllerModel;
	const name = defaultModelName(model, context);
	if (controller.modelName?.name === undefined && name !== undefined) controller.modelName = { name };
	const target: PciTarget = controller.target ?? {};
	TARGETS[model]?.(target, controller, context);
	if (Object.keys(target).length > 0) controller.target = target;
	const { index = 0, address } = controller;
	if (model === "pci-bridge" && address?.type === "pci" && index <= address.bus)
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			`PCI controller at index ${index} (0x${index.toString(16).padStart(2, "0")}) has bus='0x${address.bus.toString(16).padStart(2, "0")}', but index must be larger than bus`,
		);
}
