// Lists of virtual CPUs and their wanted state, as calls give them.

import { VirtError } from "@virtkit/base/errors";
import { parseNumberSet } from "@virtkit/xml/bitmap";

/** Numbers that calls may name (QEMU_GUEST_VCPU_MAX_ID). */
const MAX_VCPUS = 4096;

/** The CPUs of a list such as `1-3,^2`. Throws INVALID_ARG where it is none, or empty. */
export function parseVcpus(text: string): number[] {
	const found = parseNumberSet(text);
	if (found === undefined || found.some((id) => id >= MAX_VCPUS))
		throw new VirtError("INVALID_ARG", `Failed to parse bitmap '${text}': give numbers of vCPUs below ${MAX_VCPUS}`);
	if (found.length === 0) throw new VirtError("INVALID_ARG", "no vcpus selected for modification");
	return found;
}

/** Whether they are to be there. Throws INVALID_ARG for anything but 0 and 1. */
export function parseOn(state: number): boolean {
	if (state === 0 || state === 1) return state === 1;
	throw new VirtError("INVALID_ARG", `unsupported state value: ${state} is neither 0 nor 1`);
}
