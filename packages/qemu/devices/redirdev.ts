// USB devices of a client that are redirected into the guest.

import { VirtError } from "@virtkit/base/errors";
import type { RedirdevDef, RedirFilterDef } from "@virtkit/model/domain/redirdev";
import { hasUsb } from "../addresses/controllers.ts";
import type { JsonObject } from "../command-line/command-line.ts";
import { addChardev } from "./chardev-build.ts";
import { checkChardev } from "./chardev-check.ts";
import { addressProps } from "./device-address.ts";
import { addDevice } from "./device-option.ts";
import { checkDeviceRules, type DeviceRule } from "./device-rule.ts";
import type { BuildContext, DefineContext, DeviceEntry } from "./entry.ts";
import { isDescribedBy } from "./plug-find.ts";

const COMMON_RULES: readonly DeviceRule<RedirdevDef>[] = [
	{
		broken: (_, { def }) => !hasUsb(def) && "cannot add redirected USB device: USB is disabled for this domain",
	},
];

const RULES: readonly DeviceRule<RedirdevDef>[] = [
	{
		broken: (_, { caps }) => !caps.has("usb-redir") && "USB redirection is not supported by this version of QEMU",
	},
	{
		broken: (_, { def, caps }) =>
			Boolean(def.devices.redirfilter?.usbdev.length) &&
			!caps.has("usb-redir", "filter") &&
			"USB redirection filter is not supported by this version of QEMU",
	},
];

const ANY = "-1";

/** `CLASS:VENDOR:PRODUCT:VERSION:ALLOW` for each rule, as QEMU takes the filter. */
function formatFilter({ usbdev }: RedirFilterDef): string {
	const hex = (value: number | undefined, digits: number): string =>
		value === undefined || value < 0 ? ANY : `0x${value.toString(16).toUpperCase().padStart(digits, "0")}`;
	return usbdev
		.map(({ class: code, vendor, product, version, allow }) =>
			[hex(code, 2), hex(vendor, 4), hex(product, 4), hex(version, 4), allow ? 1 : 0].join(":"),
		)
		.join("|");
}

const chardevId = ({ alias }: RedirdevDef): string => `char${alias}`;

/** The properties of the device, for -device and device_add. */
export function redirdevProps(device: RedirdevDef, { def }: DefineContext): JsonObject {
	const { redirfilter } = def.devices;
	return {
		driver: "usb-redir",
		chardev: chardevId(device),
		id: device.alias,
		filter: redirfilter?.usbdev.length ? formatFilter(redirfilter) : undefined,
		bootindex: device.boot?.order,
		...addressProps(device, def),
	};
}

function buildRedirdev(device: RedirdevDef, context: BuildContext): void {
	addChardev(device, chardevId(device), context, { spice: "usbredir" });
	addDevice(device, redirdevProps(device, context), context);
}

export const redirdev: DeviceEntry<RedirdevDef> = {
	kind: "redirdev",
	list: ({ devices }) => devices.redirdevs,
	alias: (_, index) => `redir${index}`,
	check: (device, context) => {
		checkDeviceRules(COMMON_RULES, device, context);
		checkChardev(device, device, context);
		checkDeviceRules(RULES, device, context);
	},
	usb: () => true,
	build: buildRedirdev,
	hotplug: {
		find: (wanted, { def }, live) => {
			const found = def.devices.redirdevs.find((each) => isDescribedBy(wanted, each));
			if (found) return found;
			throw new VirtError(live ? "OPERATION_INVALID" : "DEVICE_MISSING", "no matching redirdev was found");
		},
	},
};
