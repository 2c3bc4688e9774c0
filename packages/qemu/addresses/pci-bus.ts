// What each PCI controller offers: which devices and further controllers its bus takes, and in which slots.

import type { PciControllerModel } from "@virtkit/model/domain/controller";
import type { PciConnection } from "../devices/entry.ts";

interface BusModel {
	readonly accepts: readonly PciConnection[];
	/** Whether devices are put here without being told to. */
	readonly automatic: boolean;
	/** Whether devices can come and go while the guest runs, unless the controller says otherwise. */
	readonly hotplug: boolean;
	readonly slots: readonly [first: number, last: number];
}

const LAST_SLOT = 31;
/** Slot 0 of a bridge with a hot-plug controller is the controller's own; that of a root bus, the host bridge's. */
const FROM_1: BusModel["slots"] = [1, LAST_SLOT];
const FROM_0: BusModel["slots"] = [0, LAST_SLOT];
const ONE_SLOT: BusModel["slots"] = [0, 0];

const PORT: BusModel = {
	accepts: ["pcie", "pcie-switch-upstream-port", "pcie-to-pci-bridge"],
	automatic: true,
	hotplug: true,
	slots: ONE_SLOT,
};

const BUS_MODELS: Readonly<Record<PciControllerModel, BusModel>> = {
	"pci-root": {
		accepts: ["pci", "pci-bridge", "pci-expander-bus"],
		automatic: true,
		hotplug: true,
		slots: FROM_1,
	},
	"pci-bridge": { accepts: ["pci", "pci-bridge"], automatic: true, hotplug: true, slots: FROM_1 },
	"pci-expander-bus": { accepts: ["pci", "pci-bridge"], automatic: true, hotplug: true, slots: FROM_0 },
	"pcie-root": {
		accepts: ["pcie", "pcie-root-port", "dmi-to-pci-bridge", "pcie-expander-bus"],
		automatic: false,
		hotplug: false,
		slots: FROM_1,
	},
	"dmi-to-pci-bridge": { accepts: ["pci", "pci-bridge"], automatic: false, hotplug: false, slots: FROM_0 },
	"pcie-to-pci-bridge": { accepts: ["pci", "pci-bridge"], automatic: true, hotplug: true, slots: FROM_1 },
	"pcie-root-port": PORT,
	"pcie-switch-downstream-port": PORT,
	"pcie-switch-upstream-port": {
		accepts: ["pcie-switch-downstream-port"],
		automatic: false,
		hotplug: false,
		slots: FROM_0,
	},
	"pcie-expander-bus": {
		accepts: ["pcie-root-port", "dmi-to-pci-bridge"],
		automatic: false,
		hotplug: false,
		slots: FROM_0,
	},
};

interface Slot {
	/** Bit n is set where function n is taken. */
	functions: number;
	/** Only devices that share slots are in it. */
	aggregate: boolean;
}

/** One PCI bus and what of it is taken. */
export class PciBus {
	readonly model: PciControllerModel;
	readonly hotplug: boolean;
	readonly firstSlot: number;
	readonly lastSlot: number;
	readonly automatic: boolean;
	accepts: ReadonlySet<PciConnection>;
	/** Host devices of one isolation group are kept apart from others; 0 is that of emulated devices. */
	isolationGroup = 0;
	/** The group cannot change, even while the bus is empty. */
	isolationLocked = false;
	readonly #slots: Slot[] = [];

	constructor(model: PciControllerModel, hotplug = true) {
		const { accepts, automatic, hotplug: can, slots } = BUS_MODELS[model];
		this.model = model;
		this.accepts = new Set(accepts);
		this.automatic = automatic;
		this.hotplug = can && hotplug;
		[this.firstSlot, this.lastSlot] = slots;
		for (let slot = 0; slot <= LAST_SLOT; slot++) this.#slots.push({ functions: 0, aggregate: false });
	}

	slot(number: number): Slot {
		const slot = this.#slots[number];
		if (!slot) throw new RangeError(`no PCI slot ${number}`);
		return slot;
	}

	#used(): Slot[] {
		return this.#slots.slice(this.firstSlot, this.lastSlot + 1);
	}

	get isEmpty(): boolean {
		return this.#used().every(({ functions }) => functions === 0);
	}

	get isFull(): boolean {
		return this.#used().every(({ functions }) => functions !== 0);
	}
}

/** The need of a PCI controller of that model on the bus above it; undefined of a root, which has none. */
export function controllerConnection(model: PciControllerModel | undefined): PciConnection | undefined {
	return model === undefined || model === "pci-root" || model === "pcie-root" ? undefined : model;
}
