// The socket device between guest and host.

import { toVirtError, VirtError } from "@virtkit/base/errors";
import type { VsockDef } from "@virtkit/model/domain/vsock";
import { virtioSlot } from "../addresses/pci-need.ts";
import type { JsonObject } from "../command-line/command-line.ts";
import { openVsock } from "../lifecycle/host-descriptors.ts";
import { inheritedDescriptors } from "./descriptors.ts";
import { addressProps } from "./device-address.ts";
import { addDevice } from "./device-option.ts";
import { checkDeviceRules, type DeviceRule } from "./device-rule.ts";
import type { BuildContext, DefineContext, DeviceEntry, Hotplug } from "./entry.ts";
import { isDescribedBy } from "./plug-find.ts";
import { virtioDriver, virtioProps } from "./virtio.ts";

/** Addresses below are the hypervisor's and the host's (AF_VSOCK). */
const FIRST_CID = 3;

const RULES: readonly DeviceRule<VsockDef>[] = [
	{
		broken: (_, { caps }) => !caps.has("vhost-vsock-device") && "vsock device is not supported with this QEMU binary",
	},
];

const COMMON: readonly DeviceRule<VsockDef>[] = [
	{
		broken: ({ cid }) =>
			cid?.address !== undefined &&
			cid.address < FIRST_CID &&
			`the guest's address (CID) must be ${FIRST_CID} at least`,
	},
];

/** The properties of the device; `vhostfd` is the descriptor of /dev/vhost-vsock under the number that QEMU has it by. */
export function vsockProps(vsock: VsockDef, vhostfd: string, context: DefineContext): JsonObject {
	return {
		driver: virtioDriver("vhost-vsock", vsock, context, vsock.model),
		...virtioProps(vsock.driver),
		id: vsock.alias,
		"guest-cid": vsock.cid?.address ?? 0,
		vhostfd,
		...addressProps(vsock, context.def),
	};
}

function buildVsock(vsock: VsockDef, context: BuildContext): void {
	const [fd = 0] = inheritedDescriptors(vsock, 1, context);
	addDevice(vsock, vsockProps(vsock, String(fd), context), context);
}

/** What two documents must have in common to be about the same device (virDomainVsockDefEquals). */
const isSame = (wanted: VsockDef, device: VsockDef): boolean =>
	wanted.model === device.model &&
	wanted.cid?.auto === device.cid?.auto &&
	isDescribedBy(wanted.address, device.address);

const hotplug: Hotplug<VsockDef> = {
	checkAttach: (_, { def }, live) => {
		if (!def.devices.vsock) return;
		if (live) throw new VirtError("OPERATION_UNSUPPORTED", "the domain already has a vsock device");
		throw new VirtError("OPERATION_INVALID", "domain already has a vsock device");
	},
	prepare: (device, { descriptors }) => {
		try {
			descriptors.set(device, openVsock(device));
		} catch (cause) {
			throw new VirtError("CONFIG_UNSUPPORTED", toVirtError(cause).message, { cause });
		}
	},
	find: (wanted, { def: { devices } }, live) => {
		if (devices.vsock && isSame(wanted, devices.vsock)) return devices.vsock;
		throw new VirtError(live ? "DEVICE_MISSING" : "OPERATION_FAILED", "matching vsock device not found");
	},
};

export const vsock: DeviceEntry<VsockDef> = {
	kind: "vsock",
	list: ({ devices }) => (devices.vsock ? [devices.vsock] : []),
	alias: () => "vsock0",
	complete: (device) => {
		device.model ??= "virtio";
		device.cid ??= {};
		device.cid.auto ??= device.cid.address === undefined;
	},
	checkCommon: (device, context) => checkDeviceRules(COMMON, device, context),
	check: (device, context) => checkDeviceRules(RULES, device, context),
	pci: ({ model }, context) => virtioSlot(context, model),
	virtio: (_, bus) => bus === "ccw",
	build: buildVsock,
	hotplug,
};
