// What the driver knows of the host and of itself while it works on definitions; everything that is not in the document.

import type { SmbiosDef } from "@virtkit/model/domain/sysinfo";
import type { CpuExpansion, EmulatorCapabilities } from "./capabilities/emulator.ts";
import type { HostProcessor } from "./capabilities/host-facts.ts";
import type { FirmwareDescriptor } from "./defaults/firmware-descriptor.ts";
import type { HostFiles } from "./host-files.ts";
import type { DriverSettings } from "./settings.ts";

/** What a secret may be used for (virSecretUsageType). */
export type SecretUsage = "volume" | "ceph" | "iscsi" | "tls" | "vtpm";

/** The host and the driver's own folders. */
export interface DriverHost {
	/** The host's architecture by libvirt's name. */
	readonly arch: string;
	readonly settings: DriverSettings;
	/** Path of the emulator that guests of `arch` get unless they name one; undefined where there is none. */
	defaultEmulator(arch: string): string | undefined;
	/** What the emulator at `path` can do. Throws VirtError where it is none. */
	emulatorAt(path: string): EmulatorCapabilities;
	/** The firmware images that the host describes, in their order of preference. */
	readonly firmware: readonly FirmwareDescriptor[];
	/** Folder of the firmware variables that the driver keeps itself. */
	readonly nvramDir: string;
	/** Folder of guests' private folders: DIR/lib/qemu. */
	readonly libDir: string;
	/** Folder of guests' channel sockets. */
	readonly channelDir: string;
	/** Folder of the message buses that guests of their own speak on. */
	readonly dbusDir?: string | undefined;
	/** Device nodes of GPUs that can be drawn with; undefined where the host has no /dev/dri. */
	readonly renderNodes?: readonly string[] | undefined;
	/** The host's CPU as KVM shows it to guests; undefined without KVM. */
	readonly hostCpu?: CpuExpansion | undefined;
	/** The host's processor as its kernel shows it; undefined where that cannot be read. */
	readonly processor?: HostProcessor | undefined;
	/** Files of the host that devices ask about. */
	readonly files: HostFiles;
	/** Numbers of the host's NUMA nodes. */
	readonly numaNodes: readonly number[];
	/** Host CPUs. */
	readonly cpus: number;
	/** Sizes in KiB of the huge pages that the host can hand out, with the mount point of each. */
	readonly hugepages: readonly { readonly kib: number; readonly mount: string; readonly isDefault: boolean }[];
	/** The host's own SMBIOS tables, for guests that show them; undefined where they cannot be read. */
	readonly smbios?: SmbiosDef;
	/** The host's first security system (`selinux`, `apparmor`); `none` where absent. */
	readonly securityModel?: string;
	/** How fast the time stamp counter runs (Hz), and whether guests can be given another; undefined where KVM does not say. */
	readonly tsc?: { readonly frequency: number; readonly scaling: boolean } | undefined;
	/** Versions of TPM that the host emulates for guests; absent where it emulates none. */
	readonly swtpm?: readonly string[] | undefined;
	/** The value of the secret that a definition names by UUID or usage; undefined where there is none. */
	secretValue?(
		reference: { readonly uuid?: string | undefined; readonly usage?: string | undefined },
		usage: SecretUsage,
	): Uint8Array | undefined;
	/** The host's address in the virtual network of that name; undefined where there is no such network. */
	networkAddress?(network: string): string | undefined;
	/** Number of the host's user or group of that name; undefined where there is none. */
	idOf?(name: string, kind: "user" | "group"): number | undefined;
	/** A random UUID. */
	uuid(): string;
	/** Seconds since 1970. */
	now(): number;
}
