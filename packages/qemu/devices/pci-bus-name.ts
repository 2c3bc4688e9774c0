// QEMU's names of PCI buses, and the ids of the controllers that provide them.

import { VirtError } from "@virtkit/base/errors";
import { isUserAlias } from "@virtkit/model/domain/alias";
import type { ControllerDef } from "@virtkit/model/domain/controller";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { findController } from "../addresses/controllers.ts";
import { archOf, isMachine, isPpc64, isS390, isX86 } from "../machine.ts";

/** Whether the machine numbers its PCI buses; others have one, called `pci`. */
export function hasManyPciBuses(def: DomainDef): boolean {
	return (
		isX86(def) ||
		isPpc64(def) ||
		archOf(def) === "ppc" ||
		isS390(def) ||
		isMachine(def, "armVirt") ||
		isMachine(def, "riscvVirt")
	);
}

/** The id that a PCI controller gets. */
export function pciControllerAlias({ model, index = 0 }: ControllerDef, def: DomainDef): string {
	if (!hasManyPciBuses(def)) return "pci";
	return `${model === "pcie-root" ? "pcie" : "pci"}.${index}`;
}

/** QEMU's name of the bus that the PCI controller with that index provides. Throws INTERNAL_ERROR where there is none. */
export function pciBusName(index: number, def: DomainDef): string {
	const controller = findController(def, "pci", index);
	if (controller?.alias === undefined)
		throw new VirtError(
			"INTERNAL_ERROR",
			controller
				? `Device alias was not set for PCI controller with index '${index}'`
				: `Could not find PCI controller with index '${index}'`,
		);
	const { alias, model, modelName, target } = controller;
	// A root bus is the machine's own: the user's name for it does not reach QEMU.
	const builtIn = model === "pcie-root" || (model === "pci-root" && !isMachine(def, "pseries"));
	if (builtIn && isUserAlias(alias)) return pciControllerAlias(controller, def);
	const isFurtherHostBridge = modelName?.name === "spapr-pci-host-bridge" && (target?.index ?? 0) > 0;
	return isFurtherHostBridge ? `${alias}.0` : alias;
}
