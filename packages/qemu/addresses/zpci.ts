// The identifiers that s390x adds to every PCI address: uid and fid, unique in the guest.

import { VirtError } from "@virtkit/base/errors";
import type { PciAddress } from "@virtkit/model/domain/address";
import { atElement } from "@virtkit/xml/read";
import type { DefineContext } from "../devices/entry.ts";
import { ENTRIES } from "./order.ts";

const MAX = { uid: 0xffff, fid: 0xffffffff } as const;
const FIRST = { uid: 1, fid: 0 } as const;
type Identifier = keyof typeof MAX;
const IDENTIFIERS: readonly Identifier[] = ["uid", "fid"];

/** Gives every PCI device the identifiers it lacks, `except` those; identifiers that the document gives are taken first. */
export function assignZpci(context: DefineContext, except: ReadonlySet<object>): void {
	const taken = { uid: new Set<number>(), fid: new Set<number>() };
	const addresses = zpciAddresses(context, except);
	for (const address of addresses) if (address.zpci) atElement(address, () => complete(address, taken));
	for (const address of addresses) if (!address.zpci) complete(address, taken);
}

function zpciAddresses({ def }: DefineContext, except: ReadonlySet<object>): PciAddress[] {
	return ENTRIES.filter(({ zpci }) => zpci !== false).flatMap((entry) =>
		entry.list(def).flatMap((device) => {
			const { address } = device;
			return address?.type === "pci" && !except.has(device) ? [address] : [];
		}),
	);
}

function complete(address: PciAddress, taken: Record<Identifier, Set<number>>): void {
	address.zpci ??= {};
	for (const name of IDENTIFIERS) address.zpci[name] ??= nextFree(name, taken[name]);
	for (const name of IDENTIFIERS) {
		const value = address.zpci[name] ?? 0;
		if (taken[name].has(value))
			throw new VirtError("INTERNAL_ERROR", `zPCI ${name} 0x${value.toString(16)} is already reserved`);
		taken[name].add(value);
	}
}

function nextFree(name: Identifier, taken: ReadonlySet<number>): number {
	let value: number = FIRST[name];
	while (taken.has(value)) {
		if (value === MAX[name]) throw new VirtError("INTERNAL_ERROR", `There is no more free zPCI ${name}.`);
		value++;
	}
	return value;
}
