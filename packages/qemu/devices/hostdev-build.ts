// Devices of the host on the command line.

import { VirtError } from "@virtkit/base/errors";
import type { HostPciSource, HostScsiSource, HostUsbSource, TeamingDef } from "@virtkit/model/domain/host-device";
import type { HostdevDef } from "@virtkit/model/domain/hostdev";
import type { InterfaceDef } from "@virtkit/model/domain/interface";
import { formatPciPlace } from "../addresses/pci-set.ts";
import type { JsonObject } from "../command-line/command-line.ts";
import { bootIndexOf } from "../defaults/boot-index.ts";
import type { HostFiles } from "../host-files.ts";
import { storageProps } from "./block-storage.ts";
import { inheritedDescriptors } from "./descriptors.ts";
import { addressProps } from "./device-address.ts";
import { addDevice } from "./device-option.ts";
import { type DiskImage, nextImageNumber } from "./disk-image.ts";
import { lookupSecret, type SecretContext, sealedSecret } from "./disk-secrets.ts";
import type { BuildContext, DefineContext, DomainStep } from "./entry.ts";
import { romProps } from "./rom.ts";
import { virtioDriver } from "./virtio.ts";

/** Device through which QEMU serves SCSI with the kernel's help. */
/** The kernel's server of SCSI devices. */
export const VHOST_SCSI = "/dev/vhost-scsi";

/** A PCI device of the host, whichever element of the document gives it. */
interface PciPassthrough {
	readonly source: Pick<HostPciSource, "address">;
	readonly driver: string | undefined;
	readonly teaming: TeamingDef | undefined;
	readonly display?: boolean | undefined;
	readonly ramfb?: boolean | undefined;
}

type Passed = Pick<HostdevDef, "alias" | "address" | "boot" | "rom" | "acpi">;

/** The properties of a PCI device of the host. Throws INTERNAL_ERROR for other drivers than vfio. */
function pciProps(
	device: Passed,
	{ source, driver, teaming, display, ramfb }: PciPassthrough,
	context: BuildContext,
): JsonObject {
	// A start settles on vfio where the document names no driver; a mere rendering has nothing to settle with.
	const backend = driver ?? (context.dryRun ? "default" : "vfio");
	if (backend !== "vfio") throw new VirtError("INTERNAL_ERROR", `invalid PCI passthrough type '${backend}'`);
	return {
		driver: ramfb ? "vfio-pci-nohotplug" : "vfio-pci",
		host: formatPciPlace(source.address),
		id: device.alias,
		bootindex: bootIndexOf(device, context),
		display: display === undefined ? undefined : display ? "on" : "off",
		ramfb: ramfb || undefined,
		failover_pair_id: teaming?.type === "transient" ? teaming.persistent : undefined,
		...addressProps(device, context.def),
		...romProps(device),
	};
}

/** What the guest may do to a USB device by resetting it. */
const RESETS = {
	off: { "guest-reset": false },
	uninitialized: { "guest-reset": true, "guest-resets-all": false },
	on: { "guest-reset": true, "guest-resets-all": true },
} as const;

function usbPlace({ missing, address }: HostUsbSource, { caps }: DefineContext): JsonObject {
	if (missing) return {};
	const { bus = 0, device = 0, port } = address ?? {};
	if (port !== undefined && !device) return { hostbus: bus, hostport: port };
	if (!bus && !device) throw new VirtError("INTERNAL_ERROR", "USB host device is missing bus/device information");
	const digits = (value: number): string => String(value).padStart(3, "0");
	return caps.has("usb-host", "hostdevice")
		? { hostdevice: `/dev/bus/usb/${digits(bus)}/${digits(device)}` }
		: { hostbus: bus, hostaddr: device };
}

/** The properties of a USB device of the host, for -device and device_add. */
export function usbHostProps(device: Passed, source: HostUsbSource, context: DefineContext): JsonObject {
	return {
		driver: "usb-host",
		...usbPlace(source, context),
		id: device.alias,
		bootindex: device.boot?.order,
		...(source.guestReset && RESETS[source.guestReset]),
		...addressProps(device, context.def),
	};
}

/** The properties of a mediated device, for -device and device_add. */
export function mdevProps(device: HostdevDef, { def }: DefineContext): JsonObject {
	const { model, display, ramfb } = device;
	return {
		// The firmware's screen needs the variant that cannot be unplugged.
		driver: model === "vfio-pci" && ramfb ? "vfio-pci-nohotplug" : model,
		id: device.alias,
		sysfsdev: `/sys/bus/mdev/devices/${device.mdev?.address?.uuid}`,
		display: display === undefined ? undefined : display ? "on" : "off",
		ramfb: ramfb || undefined,
		bootindex: device.boot?.order,
		...addressProps(device, def),
	};
}

function buildVhostScsi(device: HostdevDef, context: BuildContext): void {
	const [fd = 0] = inheritedDescriptors(device, 1, context);
	addDevice(
		device,
		{
			driver: virtioDriver("vhost-scsi", device, context, device.model),
			wwpn: device.scsiHost?.wwpn,
			vhostfd: String(fd),
			id: device.alias,
			...addressProps(device, context.def),
		},
		context,
	);
}

/** `/dev/sg0`: the generic device of a unit of the host's adapter. Throws SYSTEM_ERROR where it is not there. */
export function genericDevice({ adapter, address }: HostScsiSource, files: HostFiles): string {
	const number = /^scsi_host(\d+)$/.exec(adapter?.name ?? "")?.[1];
	if (number === undefined) throw new VirtError("INTERNAL_ERROR", `Cannot parse adapter '${adapter?.name}'`);
	const { bus = 0, target = 0, unit = 0 } = address ?? {};
	const folder = `/sys/bus/scsi/devices/${number}:${bus}:${target}:${unit}/scsi_generic`;
	const [name] = files.list(folder) ?? [];
	if (name === undefined)
		throw new VirtError("SYSTEM_ERROR", `cannot open directory '${folder}': No such file or directory`);
	return `/dev/${name}`;
}

/** The unit as an image, so that it is written as those of disks are. */
function scsiImage(device: HostdevDef, source: HostScsiSource, context: DefineContext): DiskImage {
	const isNetwork = source.protocol === "iscsi";
	return {
		type: isNetwork ? "network" : "block",
		source: isNetwork
			? { protocol: "iscsi", name: source.name, host: source.host, initiator: source.initiator, seclabels: [] }
			: { dev: genericDevice(source, context.host.files), host: [], seclabels: [] },
		format: "raw",
		readonly: device.readonly === true,
		id: undefined,
		auth: source.auth,
		encryption: undefined,
		cacheSize: undefined,
		options: {},
		backing: null,
	};
}

/** Names of the nodes that running guests' units have: what follows from a definition today may be another tomorrow. */
const BACKENDS = new WeakMap<HostdevDef, string>();

/** The name of the node that a running guest's unit has, or is to have. */
export function nameBackend(device: HostdevDef, node: string): void {
	BACKENDS.set(device, node);
}

/** Whether the name is known, rather than to be made up. */
export const hasBackend = (device: HostdevDef): boolean => BACKENDS.has(device);

/** `libvirt-2-backend`: units of SCSI are numbered after the images of disks. */
function backendNode(device: HostdevDef, { def }: DefineContext): string {
	const place = def.devices.hostdevs.filter(({ type }) => type === "scsi").indexOf(device);
	return BACKENDS.get(device) ?? `libvirt-${nextImageNumber(def) + place}-backend`;
}

/** Secret and block node of a SCSI unit of the host. */
export function scsiBackend(
	device: HostdevDef,
	source: HostScsiSource,
	context: SecretContext,
): { readonly object: JsonObject | undefined; readonly node: JsonObject } {
	const image = scsiImage(device, source, context);
	const name = backendNode(device, context);
	const secret = `${name}-secret0`;
	const node = {
		...storageProps(image, context),
		...(source.auth && { "password-secret": secret }),
		"node-name": name,
		"read-only": image.readonly,
		"auto-read-only": undefined,
		discard: undefined,
	};
	const object = source.auth && sealedSecret(secret, lookupSecret(source.auth.secret, "iscsi", context), context);
	return { object, node };
}

/** The properties of a SCSI unit of the host, for -device and device_add. */
export function scsiHostProps(device: HostdevDef, context: DefineContext): JsonObject {
	return {
		driver: "scsi-generic",
		drive: backendNode(device, context),
		id: device.alias,
		bootindex: device.boot?.order,
		...addressProps(device, context.def, "scsi"),
	};
}

function buildScsi(device: HostdevDef, source: HostScsiSource, context: BuildContext): void {
	const { object, node } = scsiBackend(device, source, context);
	if (!context.dryRun) nameBackend(device, String(node["node-name"]));
	if (object) context.command.addJson("-object", object);
	context.command.addJson("-blockdev", node);
	addDevice(device, scsiHostProps(device, context), context);
}

export function buildHostdev(device: HostdevDef, context: BuildContext): void {
	const { usb, pci, scsi, scsiHost, mdev, driver, teaming } = device;
	if (usb) addDevice(device, usbHostProps(device, usb, context), context);
	else if (scsi) buildScsi(device, scsi, context);
	else if (scsiHost) buildVhostScsi(device, context);
	else if (mdev) addDevice(device, mdevProps(device, context), context);
	else if (pci && device.address?.type !== "unassigned")
		addDevice(
			device,
			pciProps(
				device,
				{ source: pci, driver: driver?.name, teaming, display: device.display, ramfb: device.ramfb },
				context,
			),
			context,
		);
}

/** An interface that is a device of the host. */
export function buildHostInterface(net: InterfaceDef, context: BuildContext): void {
	const { usb, pci, hostDriver, teaming } = net;
	if (usb) addDevice(net, usbHostProps(net, usb, context), context);
	else if (pci) addDevice(net, pciProps(net, { source: pci, driver: hostDriver?.name, teaming }, context), context);
}

/** Throws where the host has none of what its devices are served with. */
export const checkHostdevsToStart: DomainStep = (context) => {
	const { hostdevs } = context.def.devices;
	for (const { scsi } of hostdevs) if (scsi?.auth) lookupSecret(scsi.auth.secret, "iscsi", context);
	for (const { scsi } of hostdevs) if (scsi && scsi.protocol !== "iscsi") genericDevice(scsi, context.host.files);
	if (!hostdevs.some(({ scsiHost }) => scsiHost)) return;
	if (!context.host.files.exists(VHOST_SCSI))
		throw new VirtError("CONFIG_UNSUPPORTED", `vhost-scsi device file '${VHOST_SCSI}' cannot be found`);
};
