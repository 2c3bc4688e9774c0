// The virtio buses of machines without PCI, or besides it: s390x channels (ccw) and memory-mapped transports.

import { VirtError } from "@virtkit/base/errors";
import type { AddressDef, CcwAddress } from "@virtkit/model/domain/address";
import { atElement } from "@virtkit/xml/read";
import type { DefineContext } from "../devices/entry.ts";
import { isArm, isMachine, isRiscv } from "../machine.ts";
import { ENTRIES } from "./order.ts";
import { hasPcieRoot } from "./pci-need.ts";

/** Channel subsystem of virtio devices. */
const VIRTIO_CSSID = 0xfe;
const MAX_DEVNO = 0xffff;

const EMPTY: Readonly<Record<"ccw" | "virtio-mmio" | "pci", () => AddressDef>> = {
	ccw: () => ({ type: "ccw" }),
	"virtio-mmio": () => ({ type: "virtio-mmio" }),
	pci: () => ({ type: "pci", domain: 0, bus: 0, slot: 0, function: 0 }),
};

/** Declares virtio devices that have no address to sit on `bus`. */
function prime({ def }: DefineContext, bus: "ccw" | "virtio-mmio" | "pci"): void {
	for (const entry of ENTRIES)
		for (const device of entry.list(def))
			if (device.address === undefined && entry.virtio?.(device, bus)) device.address = EMPTY[bus]();
}

/** Gives the devices of an s390x guest their device numbers. */
export function assignCcwAddresses(context: DefineContext): void {
	if (!isMachine(context.def, "s390ccw")) return;
	prime(context, "ccw");
	const addresses = ENTRIES.flatMap((entry) =>
		entry.list(context.def).flatMap(({ address }) => (address?.type === "ccw" ? [address] : [])),
	);
	const taken = new Set<string>();
	for (const address of addresses) if (address.devno !== undefined) atElement(address, () => take(address, taken));
	const next = { cssid: VIRTIO_CSSID, ssid: 0, devno: 0 };
	for (const address of addresses) {
		if (address.devno !== undefined) continue;
		while (taken.has(nameOf(next)))
			if (++next.devno > MAX_DEVNO) throw new VirtError("INTERNAL_ERROR", "There are no more free CCW devnos.");
		Object.assign(address, next);
		take(address, taken);
	}
}

/** `fe.0.0001`. */
function nameOf({ cssid = 0, ssid = 0, devno = 0 }: Omit<CcwAddress, "type">): string {
	return `${cssid.toString(16)}.${ssid.toString(16)}.${devno.toString(16).padStart(4, "0")}`;
}

function take(address: CcwAddress, taken: Set<string>): void {
	const name = nameOf(address);
	if (taken.has(name)) throw new VirtError("XML_ERROR", `The CCW devno '${name}' is in use already`);
	taken.add(name);
}

/** Decides for ARM and RISC-V guests whether virtio devices sit on PCI or on memory-mapped transports. */
export function assignMmioAddresses(context: DefineContext): void {
	const { def, caps } = context;
	if (!isArm(def) && !isRiscv(def)) return;
	if (!(["vexpress", "armVirt", "riscvVirt"] as const).some((family) => isMachine(def, family))) return;
	const hasMmio = ENTRIES.some((entry) => entry.list(def).some(({ address }) => address?.type === "virtio-mmio"));
	const hasPorts = caps.has("pcie-root-port") || caps.has("ioh3420");
	if (hasPcieRoot(context) && hasPorts && !hasMmio) prime(context, "pci");
	else if (caps.has("virtio-mmio")) prime(context, "virtio-mmio");
}
