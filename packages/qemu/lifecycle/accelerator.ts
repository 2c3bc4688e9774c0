// Refuses to start a guest on an accelerator that opens here and yet runs no guests.

import { VirtError } from "@virtkit/base/errors";
import type { EmulatorCapabilities } from "../capabilities/emulator.ts";

/** Throws CONFIG_UNSUPPORTED with the reason where guests of this type can be defined here and would hang once started. */
export function checkAccelerator(type: string, { binary, facts }: EmulatorCapabilities): void {
	if (type !== "kvm" || facts.kvmRefusal === undefined) return;
	throw new VirtError(
		"CONFIG_UNSUPPORTED",
		`Emulator '${binary}' cannot start a guest of type 'kvm' here: ${facts.kvmRefusal}; type 'qemu' emulates it instead`,
	);
}
