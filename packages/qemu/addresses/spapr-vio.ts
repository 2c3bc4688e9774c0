// Registers of devices on pSeries' virtual bus.

import { VirtError } from "@virtkit/base/errors";
import type { SpaprVioAddress } from "@virtkit/model/domain/address";
import { atElement } from "@virtkit/xml/read";
import type { DefineContext } from "../devices/entry.ts";
import { ENTRIES, SPAPR_VIO_STEPS } from "./order.ts";

/** Distance of one register to the next. */
const STEP = 0x1000;

/** Gives every device on the virtual bus a register of its own. */
export function assignSpaprVioAddresses(context: DefineContext): void {
	for (const entry of SPAPR_VIO_STEPS)
		for (const device of entry.list(context.def)) {
			const wanted = entry.spaprVio?.(device, context);
			if (wanted?.always)
				device.address = device.address?.type === "spapr-vio" ? device.address : { type: "spapr-vio" };
			if (wanted && device.address?.type === "spapr-vio") assignRegister(device.address, wanted.register, context);
		}
}

function assignRegister(address: SpaprVioAddress, first: number, context: DefineContext): void {
	atElement(address, () => findRegister(address, first, context));
}

function findRegister(address: SpaprVioAddress, first: number, { def }: DefineContext): void {
	const isTaken = (register: number): boolean =>
		ENTRIES.some((entry) =>
			entry
				.list(def)
				.some(({ address: other }) => other?.type === "spapr-vio" && other !== address && other.reg === register),
		);
	if (address.reg !== undefined) {
		if (isTaken(address.reg))
			throw new VirtError("XML_ERROR", `spapr-vio address 0x${address.reg.toString(16)} already in use`);
		return;
	}
	let register = first;
	while (isTaken(register)) register += STEP;
	address.reg = register;
}
