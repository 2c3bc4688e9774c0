// Rules about one device: a row says what breaks it, and libvirt's code for that.

import type { ErrorCode } from "@virtkit/base/errors";
import { documentError, positionOf } from "@virtkit/xml/read";
import type { DefineContext } from "./entry.ts";

/** One rule about devices of type `D`. */
export interface DeviceRule<D extends object> {
	/** CONFIG_UNSUPPORTED where absent. */
	readonly code?: ErrorCode;
	/** What is wrong, naming the thing and its value; undefined or false where the rule holds. */
	broken(device: D, context: DefineContext): string | false | undefined;
}

/** Throws the first rule that `device` breaks, with its place in the document. */
export function checkDeviceRules<D extends object>(
	rules: readonly DeviceRule<D>[],
	device: D,
	context: DefineContext,
): void {
	for (const { code = "CONFIG_UNSUPPORTED", broken } of rules) {
		const message = broken(device, context);
		if (message) throw documentError(positionOf(device), message, code);
	}
}

/** Throws CONFIG_UNSUPPORTED, or `code`, for `device` with its place in the document. */
export function refuseDevice(device: object, message: string, code: ErrorCode = "CONFIG_UNSUPPORTED"): never {
	throw documentError(positionOf(device), message, code);
}
