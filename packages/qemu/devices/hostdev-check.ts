// Rules about devices of the host that are given to a guest.

import type { AddressDef } from "@virtkit/model/domain/address";
import type { HostdevDef } from "@virtkit/model/domain/hostdev";
import { formatPciPlace } from "../addresses/pci-set.ts";
import { checkDeviceRules, type DeviceRule, refuseDevice } from "./device-rule.ts";
import type { DefineContext, DomainStep } from "./entry.ts";

type HostdevType = HostdevDef["type"];
type Rule = DeviceRule<HostdevDef>;

interface AllowedAddresses {
	readonly types: readonly AddressDef["type"][];
	readonly code: "INTERNAL_ERROR" | "CONFIG_UNSUPPORTED";
}

const ADDRESSES: Partial<Record<HostdevType, AllowedAddresses>> = {
	pci: { types: ["pci", "unassigned"], code: "INTERNAL_ERROR" },
	scsi: { types: ["drive"], code: "CONFIG_UNSUPPORTED" },
	scsi_host: { types: ["pci", "ccw"], code: "CONFIG_UNSUPPORTED" },
	usb: { types: ["usb"], code: "CONFIG_UNSUPPORTED" },
};

function checkAddress(device: HostdevDef): void {
	const allowed = ADDRESSES[device.type];
	const { address } = device;
	if (!allowed || !address || allowed.types.includes(address.type)) return;
	const names = allowed.types.map((type) => `'${type}'`).join(" or ");
	refuseDevice(
		device,
		`host devices of type '${device.type}' must use ${names} addresses, not '${address.type}'`,
		allowed.code,
	);
}

/** Rules that hold whatever runs the guest (virDomainHostdevDefValidate), after that of addresses. */
const COMMON: readonly Rule[] = [
	{ broken: ({ sgio }) => sgio === "unfiltered" && "unfiltered sgio is no longer supported" },
	{
		broken: ({ teaming }) =>
			teaming !== undefined && teaming.type !== "transient" && "teaming hostdev devices must have type='transient'",
	},
	{
		broken: ({ teaming }) =>
			teaming !== undefined &&
			teaming.persistent === undefined &&
			"missing required persistent attribute in hostdev teaming element",
	},
	{
		broken: ({ teaming, type }) =>
			teaming !== undefined && type !== "pci" && "teaming is only supported for pci hostdev devices",
	},
];

const isModel =
	(model: HostdevDef["model"]) =>
	(device: HostdevDef): boolean =>
		device.type === "mdev" && device.model === model;
const isVfioPci = isModel("vfio-pci");
const isVfioAp = isModel("vfio-ap");

const noBoot = ({ boot }: HostdevDef, what: string): string | false =>
	boot !== undefined && `booting from assigned devices is not supported by ${what}`;

/** Rules of the QEMU driver (qemuValidateDomainDeviceDefHostdev). */
const DRIVER: readonly Rule[] = [
	{
		broken: ({ mode }, { def }) =>
			mode === "capabilities" && `hostdev mode 'capabilities' is not supported in ${def.type}`,
	},
	{
		broken: ({ usb }, { caps }) =>
			usb?.guestReset !== undefined &&
			!caps.has("usb-host", "guest-resets-all") &&
			"guestReset is not supported with this version of QEMU",
	},
	{
		broken: ({ driver }, { caps }) =>
			driver?.name === "vfio" && !caps.has("vfio-pci") && "VFIO PCI device assignment is not supported by this QEMU",
	},
	{
		broken: ({ pci }) =>
			pci?.writeFiltering !== undefined && "Write filtering of PCI device configuration space is not supported by qemu",
	},
	{ broken: (device) => device.type === "scsi_host" && noBoot(device, "vhost SCSI devices") },
	{
		broken: ({ type }, { caps }) =>
			type === "scsi_host" &&
			!["vhost-scsi-pci", "vhost-scsi-ccw"].some((name) => caps.has(name)) &&
			"This QEMU doesn't support vhost-scsi devices",
	},
	...(["vfio-pci", "vfio-ap", "vfio-ccw"] as const).map(
		(model): Rule => ({
			broken: (device, { caps }) =>
				isModel(model)(device) && !caps.has(model) && `${model} device assignment is not supported by this QEMU`,
		}),
	),
	{ broken: (device) => isVfioPci(device) && noBoot(device, "mediated devices of model vfio-pci") },
	{
		broken: (device, { caps }) =>
			isVfioPci(device) &&
			device.display !== undefined &&
			!caps.has("vfio-pci", "display") &&
			"display property of device vfio-pci is not supported by this QEMU",
	},
	{
		broken: (device, { def }) =>
			isVfioPci(device) &&
			device.display === true &&
			def.devices.graphics.length === 0 &&
			"graphics device is needed for attribute value 'display=on' in <hostdev>",
	},
	{ broken: (device) => isVfioAp(device) && noBoot(device, "mediated devices of model vfio-ap") },
	{
		broken: (device, { def }) =>
			isVfioAp(device) &&
			def.devices.hostdevs.filter(isVfioAp).length > 1 &&
			"Only one hostdev of model vfio-ap is supported",
	},
];

/** Throws for what no hypervisor could give the guest. */
export function checkHostdevCommon(device: HostdevDef, context: DefineContext): void {
	checkAddress(device);
	checkDeviceRules(COMMON, device, context);
}

/** Throws for what this QEMU cannot give the guest. */
export function checkHostdev(device: HostdevDef, context: DefineContext): void {
	checkDeviceRules(DRIVER, device, context);
}

/** What tells a host device from others of its kind. */
const IDENTITIES: Readonly<Record<HostdevType, (device: HostdevDef) => readonly unknown[]>> = {
	usb: ({ usb }) => {
		const { bus, device } = usb?.address ?? {};
		return bus && device ? [bus, device] : [usb?.vendor?.id, usb?.product?.id, "any"];
	},
	pci: ({ pci }) => [pci && formatPciPlace(pci.address)],
	scsi: ({ scsi }) => {
		const [host] = scsi?.host ?? [];
		if (scsi?.protocol === "iscsi") return [host?.name, host?.port, scsi.name];
		const { bus, target, unit } = scsi?.address ?? {};
		return [scsi?.adapter?.name, bus, target, unit];
	},
	scsi_host: ({ scsiHost }) => [scsiHost?.wwpn],
	mdev: ({ mdev }) => [mdev?.address?.uuid],
	storage: ({ capability }) => [capability?.block],
	misc: ({ capability }) => [capability?.char],
	net: ({ capability }) => [capability?.interface],
};

const identityOf = (device: HostdevDef): string => [device.type, ...IDENTITIES[device.type](device)].join(" ");

/** Throws where two entries mean the same device, or two want to be the firmware's screen (virDomainDefHostdevValidate). */
export const checkHostdevs: DomainStep = ({ def }) => {
	const seen = new Set<string>();
	let hasRamfb = false;
	for (const device of def.devices.hostdevs) {
		const identity = identityOf(device);
		if (seen.has(identity)) refuseDevice(device, "Hostdev already exists in the domain configuration", "XML_ERROR");
		seen.add(identity);
		if (device.ramfb !== true) continue;
		if (hasRamfb) refuseDevice(device, "Only one vgpu device can have 'ramfb' enabled");
		hasRamfb = true;
	}
};
