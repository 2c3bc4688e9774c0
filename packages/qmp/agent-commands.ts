// The guest agent's commands that we use, as types (QEMU: docs/interop/qemu-ga-ref.html; the agent cannot be asked for them).

interface Command<Args, Ret> {
	readonly args: Args;
	readonly ret: Ret;
}

type None = { readonly [key: string]: never };

export interface AgentInfo {
	readonly version: string;
	readonly supported_commands: readonly {
		readonly name: string;
		readonly enabled: boolean;
		/** False for commands that answer only when they fail. */
		readonly "success-response": boolean;
	}[];
}

export interface AgentVcpu {
	readonly "logical-id": number;
	readonly online: boolean;
	readonly "can-offline"?: boolean;
}

export interface AgentInterface {
	readonly name: string;
	readonly "hardware-address"?: string;
	readonly "ip-addresses"?: readonly {
		readonly "ip-address": string;
		readonly "ip-address-type": "ipv4" | "ipv6";
		readonly prefix: number;
	}[];
	readonly statistics?: Readonly<Record<string, number>>;
}

export interface AgentPciAddress {
	readonly domain: number;
	readonly bus: number;
	readonly slot: number;
	readonly function: number;
}

export interface AgentDiskAddress {
	readonly "pci-controller": AgentPciAddress;
	readonly "bus-type": string;
	readonly bus: number;
	readonly target: number;
	readonly unit: number;
	readonly serial?: string;
	readonly dev?: string;
	readonly "ccw-address"?: {
		readonly cssid: number;
		readonly ssid: number;
		readonly subchno: number;
		readonly devno: number;
	};
}

export interface AgentFilesystem {
	readonly name: string;
	readonly mountpoint: string;
	readonly type: string;
	readonly "used-bytes"?: number;
	readonly "total-bytes"?: number;
	readonly disk: readonly AgentDiskAddress[];
}

export interface AgentDisk {
	readonly name: string;
	readonly partition: boolean;
	readonly dependencies?: readonly string[];
	readonly address?: AgentDiskAddress;
	readonly alias?: string;
}

export interface AgentUser {
	readonly user: string;
	/** Seconds since the epoch, with a fraction. */
	readonly "login-time": number;
	readonly domain?: string;
}

export interface AgentOsInfo {
	readonly id?: string;
	readonly name?: string;
	readonly "pretty-name"?: string;
	readonly version?: string;
	readonly "version-id"?: string;
	readonly machine?: string;
	readonly variant?: string;
	readonly "variant-id"?: string;
	readonly "kernel-release"?: string;
	readonly "kernel-version"?: string;
}

export interface AgentMemoryBlock {
	readonly "phys-index": number;
	readonly online: boolean;
	readonly "can-offline"?: boolean;
}

export interface AgentExecStatus {
	readonly exited: boolean;
	readonly exitcode?: number;
	readonly signal?: number;
	/** Base64. */
	readonly "out-data"?: string;
	readonly "err-data"?: string;
	readonly "out-truncated"?: boolean;
	readonly "err-truncated"?: boolean;
}

/** Arguments and result of each command. Times are nanoseconds since the epoch, sizes bytes. */
export interface AgentCommands {
	readonly "guest-ping": Command<None, None>;
	readonly "guest-info": Command<None, AgentInfo>;
	readonly "guest-shutdown": Command<{ readonly mode?: "powerdown" | "halt" | "reboot" }, None>;
	readonly "guest-suspend-ram": Command<None, None>;
	readonly "guest-suspend-disk": Command<None, None>;
	readonly "guest-suspend-hybrid": Command<None, None>;
	readonly "guest-get-time": Command<None, number>;
	readonly "guest-set-time": Command<{ readonly time?: number }, None>;
	readonly "guest-get-timezone": Command<None, { readonly zone?: string; readonly offset: number }>;
	readonly "guest-get-host-name": Command<None, { readonly "host-name": string }>;
	readonly "guest-get-osinfo": Command<None, AgentOsInfo>;
	readonly "guest-get-users": Command<None, readonly AgentUser[]>;
	readonly "guest-set-user-password": Command<
		{ readonly username: string; readonly password: string; readonly crypted: boolean },
		None
	>;
	readonly "guest-network-get-interfaces": Command<None, readonly AgentInterface[]>;
	readonly "guest-get-vcpus": Command<None, readonly AgentVcpu[]>;
	readonly "guest-set-vcpus": Command<{ readonly vcpus: readonly AgentVcpu[] }, number>;
	readonly "guest-get-memory-blocks": Command<None, readonly AgentMemoryBlock[]>;
	readonly "guest-get-memory-block-info": Command<None, { readonly size: number }>;
	readonly "guest-get-fsinfo": Command<None, readonly AgentFilesystem[]>;
	readonly "guest-get-disks": Command<None, readonly AgentDisk[]>;
	readonly "guest-fsfreeze-status": Command<None, "thawed" | "frozen">;
	readonly "guest-fsfreeze-freeze": Command<None, number>;
	readonly "guest-fsfreeze-freeze-list": Command<{ readonly mountpoints?: readonly string[] }, number>;
	readonly "guest-fsfreeze-thaw": Command<None, number>;
	readonly "guest-fstrim": Command<
		{ readonly minimum?: number },
		{ readonly paths: readonly { readonly path: string; readonly trimmed?: number; readonly error?: string }[] }
	>;
	readonly "guest-exec": Command<
		{
			readonly path: string;
			readonly arg?: readonly string[];
			readonly env?: readonly string[];
			readonly "input-data"?: string;
			readonly "capture-output"?: boolean;
		},
		{ readonly pid: number }
	>;
	readonly "guest-exec-status": Command<{ readonly pid: number }, AgentExecStatus>;
	readonly "guest-file-open": Command<{ readonly path: string; readonly mode?: string }, number>;
	readonly "guest-file-close": Command<{ readonly handle: number }, None>;
	readonly "guest-file-read": Command<
		{ readonly handle: number; readonly count?: number },
		{ readonly count: number; readonly "buf-b64": string; readonly eof: boolean }
	>;
	readonly "guest-file-write": Command<
		{ readonly handle: number; readonly "buf-b64": string; readonly count?: number },
		{ readonly count: number; readonly eof: boolean }
	>;
	readonly "guest-file-flush": Command<{ readonly handle: number }, None>;
	readonly "guest-ssh-get-authorized-keys": Command<
		{ readonly username: string },
		{ readonly keys: readonly string[] }
	>;
	readonly "guest-ssh-add-authorized-keys": Command<
		{ readonly username: string; readonly keys: readonly string[]; readonly reset?: boolean },
		None
	>;
	readonly "guest-ssh-remove-authorized-keys": Command<
		{ readonly username: string; readonly keys: readonly string[] },
		None
	>;
}
