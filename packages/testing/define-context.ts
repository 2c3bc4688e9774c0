// A definition with an emulator that exists on paper only, for tests of what the driver makes of it.

import { type DomainDef, parseDomain } from "@virtkit/model/domain/domain";
import { EmulatorCapabilities } from "@virtkit/qemu/capabilities/emulator";
import type { DefineContext } from "@virtkit/qemu/devices/entry";
import type { DriverHost } from "@virtkit/qemu/driver-host";
import type { HostFiles } from "@virtkit/qemu/host-files";
import type { DriverSettings } from "@virtkit/qemu/settings";

/** Devices of a common emulator, as far as addresses and disks ask for them. */
export const COMMON_TYPES: Readonly<Record<string, readonly string[]>> = {
	"virtio-blk-pci-transitional": [],
	"virtio-blk-pci": ["queue-size"],
	"virtio-blk-device": ["queue-size"],
	"virtio-scsi-pci": [],
	"pcie-root-port": ["hotplug"],
	"pcie-pci-bridge": [],
	"pci-bridge": [],
	"i82801b11-bridge": [],
	"xio3130-downstream": ["hotplug"],
	"x3130-upstream": [],
	pxb: [],
	"pxb-pcie": [],
	lsi53c895a: [],
	"ich9-ahci": [],
	"qemu-xhci": [],
	"piix3-usb-uhci": [],
	"ich9-usb-ehci1": [],
	"usb-storage": ["removable"],
	"scsi-block": [],
	"gpex-pcihost": [],
	"pr-manager-helper": [],
	"vhost-user-fs-device": [],
	"vhost-user-blk": [],
};

export interface ContextOptions {
	readonly arch?: string;
	readonly machine?: string;
	readonly types?: Readonly<Record<string, readonly string[]>>;
	/** Elements of the domain besides its name, memory, os and devices. */
	readonly elements?: string;
	/** False for a definition whose guest ABI must stay. */
	readonly fresh?: boolean;
}

/** A domain of QEMU with these devices, as the document spells them. */
export function domainWith(devices: string, options: ContextOptions = {}): DomainDef {
	const { arch = "x86_64", machine = "pc-i440fx-7.2", elements = "" } = options;
	return parseDomain(
		`<domain type='qemu'><name>guest</name><memory>1048576</memory><os><type arch='${arch}' machine='${machine}'>hvm</type></os>${elements}<devices>${devices}</devices></domain>`,
	);
}

/** A host that has these files and no others; a link's text is where it leads. */
export function hostFilesOf(files: Readonly<Record<string, string>>): HostFiles {
	const read = (path: string): string | undefined => (Object.hasOwn(files, path) ? files[path] : undefined);
	return {
		exists: (path) => read(path) !== undefined,
		list: (folder) => {
			const inside = Object.keys(files).filter((path) => path.startsWith(`${folder}/`));
			const names = inside.map((path) => path.slice(folder.length + 1).split("/")[0] ?? "");
			return names.length > 0 ? [...new Set(names)].sort() : undefined;
		},
		read,
		size: (path) => read(path)?.length,
		link: read,
	};
}

/** The context in which that domain is completed. */
export function defineContext(devices: string, options: ContextOptions = {}): DefineContext {
	const { arch = "x86_64", machine = "pc-i440fx-7.2", types = COMMON_TYPES, fresh = true } = options;
	const facts = {
		binary: `/usr/bin/qemu-system-${arch}`,
		arch,
		version: 7_002_000,
		package: "",
		machines: [
			{
				name: machine,
				isDefault: true,
				maxCpus: 255,
				hotplugCpus: true,
				numa: true,
				deprecated: false,
				defaultRamId: "pc.ram",
			},
		],
		types,
		machineProperties: {},
		options: {},
		schema: [],
		tcg: { cpus: [] },
	};
	const caps = new EmulatorCapabilities(facts);
	const settings: DriverSettings = {
		dynamicOwnership: false,
		vncListen: "127.0.0.1",
		spiceListen: "127.0.0.1",
		migrationPortMin: 49152,
		migrationPortMax: 49215,
		remoteDisplayPortMin: 5900,
		remoteDisplayPortMax: 65535,
		defaultTlsX509CertDir: "/etc/pki/qemu",
		logMaxSize: 1 << 20,
		logMaxBackups: 3,
		seccompSandbox: true,
		setProcessName: true,
		memoryBackingDir: "/var/lib/virtkit/ram",
		hugetlbfsMounts: [],
	};
	const host: DriverHost = {
		arch,
		settings,
		defaultEmulator: () => facts.binary,
		emulatorAt: () => caps,
		firmware: [],
		nvramDir: "/var/lib/virtkit/nvram",
		libDir: "/var/lib/virtkit",
		channelDir: "/run/virtkit/channel",
		files: hostFilesOf({}),
		numaNodes: [0],
		cpus: 2,
		hugepages: [],
		uuid: () => "f0f5c9a4-6d1c-4a50-8a4b-5f7b1f6d2a11",
		now: () => 0,
	};
	return { def: domainWith(devices, options), caps, settings, host, fresh };
}
