// A domain as TypeScript sees it: libvirt's domain calls as methods, with named options and typed results.

import type { Duplex, Readable } from "node:stream";
import { VirtError } from "@virtkit/base/errors";
import { DOMAIN_STATE, type DomainStateName, STATE_REASON } from "@virtkit/core/domain-state";
import { decodeCpuMap, encodeCpuMap } from "@virtkit/protocol/cpu-map";
import type { ArgsOf, CallName, RetOf } from "@virtkit/protocol/procedure-types";
import type { DomainRef } from "@virtkit/protocol/types/object";
import type { TypedParameter } from "@virtkit/protocol/types/typed-parameter";
import type { RpcClient } from "../rpc-client.ts";
import { Checkpoints } from "./checkpoint.ts";
import { type DomainDef, definitionOf } from "./definition.ts";
import { Disk } from "./disk.ts";
import {
	AFFECT,
	ASSOCIATE,
	CONSOLE,
	DESTROY,
	DUMP,
	type FlagOptions,
	flagsOf,
	GRAPHICS,
	JOB,
	MEMORY,
	MESSAGE,
	MONITOR,
	SAVE,
	SHUTDOWN,
	START,
	UNDEFINE,
	UPDATE_DEVICE,
	VCPUS,
	XML,
} from "./flags.ts";
import { type Parameters, parametersOf } from "./parameters.ts";
import { Snapshots } from "./snapshot.ts";

export interface DomainState {
	readonly state: DomainStateName;
	/** libvirt's word for why, such as `booted` or `destroyed`. */
	readonly reason: string;
}

export interface DomainInfo {
	readonly state: DomainStateName;
	/** KiB. */
	readonly maxMemory: bigint;
	/** KiB. */
	readonly memory: bigint;
	readonly vcpus: number;
	/** Nanoseconds. */
	readonly cpuTime: bigint;
}

export interface VcpuInfo {
	readonly number: number;
	readonly state: "offline" | "running" | "blocked";
	/** Nanoseconds. */
	readonly cpuTime: bigint;
	/** Host CPU it last ran on. */
	readonly cpu: number;
	/** Host CPUs it may run on. */
	readonly affinity: readonly number[];
}

const STATE_NAMES = Object.keys(DOMAIN_STATE) as DomainStateName[];
const VCPU_STATES = ["offline", "running", "blocked"] as const;

/** The state of that number; unknown ones are `nostate`. */
export function stateName(number: number): DomainStateName {
	return STATE_NAMES[number] ?? "nostate";
}

function stateOf(state: number, reason: number): DomainState {
	const name = stateName(state);
	const known = Object.entries(STATE_REASON[name]).find(([, number]) => number === reason);
	return { state: name, reason: known?.[0] ?? "unknown" };
}

type Affect = FlagOptions<typeof AFFECT>;
/** Calls whose arguments are the domain and more. */
type DomainCall = { [P in CallName]: ArgsOf<P> extends { dom: DomainRef } ? P : never }[CallName];

/** A network interface as the guest has it. */
export interface GuestInterface {
	readonly name: string;
	readonly mac: string | undefined;
	/** Prefixes in bits, 0 where unknown. */
	readonly addresses: readonly {
		readonly family: "ipv4" | "ipv6";
		readonly address: string;
		readonly prefix: number;
	}[];
}

/** One domain of a connection. Its identity is as of the call that found it; ask the connection again after a rename. */
export class Domain {
	readonly name: string;
	/** Lower case with dashes. */
	readonly uuid: string;
	/** Number of the instance that ran when this object was made; −1 for none. */
	readonly id: number;
	readonly #rpc: RpcClient;

	constructor(rpc: RpcClient, { name, uuid, id }: DomainRef) {
		this.#rpc = rpc;
		this.name = name;
		this.uuid = uuid;
		this.id = id;
	}

	/** The domain as messages name it. */
	get ref(): DomainRef {
		return { name: this.name, uuid: this.uuid, id: this.id };
	}

	/** Any of libvirt's procedures on this domain, typed: for what has no method here. */
	call<P extends DomainCall>(name: P, args: Omit<ArgsOf<P>, "dom">): Promise<RetOf<P>> {
		return this.#rpc.call(name, { dom: this.ref, ...args } as ArgsOf<P>);
	}

	// Lifecycle

	/** `fds` are passed to the guest's first process: for containers. */
	async start(options: FlagOptions<typeof START> & { readonly fds?: readonly number[] } = {}): Promise<Domain> {
		const { fds = [], ...named } = options;
		const flags = flagsOf(START, named);
		const { dom } =
			fds.length === 0
				? await this.call("DOMAIN_CREATE_WITH_FLAGS", { flags })
				: (await this.#rpc.callWithDescriptors("DOMAIN_CREATE_WITH_FILES", { dom: this.ref, flags }, { fds })).ret;
		return new Domain(this.#rpc, dom);
	}

	/** Asks the guest to shut down; it may take its time, or not do it. */
	shutdown(options: FlagOptions<typeof SHUTDOWN> = {}): Promise<void> {
		return this.call("DOMAIN_SHUTDOWN_FLAGS", { flags: flagsOf(SHUTDOWN, options) });
	}

	reboot(options: FlagOptions<typeof SHUTDOWN> = {}): Promise<void> {
		return this.call("DOMAIN_REBOOT", { flags: flagsOf(SHUTDOWN, options) });
	}

	/** As the reset button. */
	reset(): Promise<void> {
		return this.call("DOMAIN_RESET", { flags: 0 });
	}

	/** Ends the guest at once. */
	destroy(options: FlagOptions<typeof DESTROY> = {}): Promise<void> {
		return this.call("DOMAIN_DESTROY_FLAGS", { flags: flagsOf(DESTROY, options) });
	}

	suspend(): Promise<void> {
		return this.call("DOMAIN_SUSPEND", {});
	}

	resume(): Promise<void> {
		return this.call("DOMAIN_RESUME", {});
	}

	injectNmi(): Promise<void> {
		return this.call("DOMAIN_INJECT_NMI", { flags: 0 });
	}

	/** Presses the keys together for `holdTime` milliseconds. `codeset` is virKeycodeSet's number, 0 Linux's. */
	sendKey(keycodes: readonly number[], codeset = 0, holdTime = 0): Promise<void> {
		return this.call("DOMAIN_SEND_KEY", { codeset, holdtime: holdTime, keycodes: [...keycodes], flags: 0 });
	}

	// Configuration

	undefine(options: FlagOptions<typeof UNDEFINE> = {}): Promise<void> {
		return this.call("DOMAIN_UNDEFINE_FLAGS", { flags: flagsOf(UNDEFINE, options) });
	}

	async rename(name: string): Promise<void> {
		await this.call("DOMAIN_RENAME", { newName: name, flags: 0 });
	}

	async xml(options: FlagOptions<typeof XML> = {}): Promise<string> {
		return (await this.call("DOMAIN_GET_XML_DESC", { flags: flagsOf(XML, options) })).xml;
	}

	/** The definition as a typed object, with everything that the daemon added to what it was given. */
	async definition(options: FlagOptions<typeof XML> = {}): Promise<DomainDef> {
		return definitionOf(await this.xml(options));
	}

	async getAutostart(): Promise<boolean> {
		return (await this.call("DOMAIN_GET_AUTOSTART", {})).autostart !== 0;
	}

	setAutostart(on: boolean): Promise<void> {
		return this.call("DOMAIN_SET_AUTOSTART", { autostart: on ? 1 : 0 });
	}

	async getAutostartOnce(): Promise<boolean> {
		return (await this.call("DOMAIN_GET_AUTOSTART_ONCE", {})).autostart !== 0;
	}

	setAutostartOnce(on: boolean): Promise<void> {
		return this.call("DOMAIN_SET_AUTOSTART_ONCE", { autostart: on ? 1 : 0 });
	}

	/** Title, description, or the element of a namespace. */
	async getMetadata(
		type: "description" | "title" | "element",
		uri: string | null = null,
		options: Affect = {},
	): Promise<string> {
		const { metadata } = await this.call("DOMAIN_GET_METADATA", {
			type: METADATA[type],
			uri,
			flags: flagsOf(AFFECT, options),
		});
		return metadata;
	}

	/** `value` null removes it. An element needs its namespace `uri`, and `key`, the prefix it is written with. */
	setMetadata(
		type: "description" | "title" | "element",
		value: string | null,
		element: { readonly key?: string; readonly uri?: string } = {},
		options: Affect = {},
	): Promise<void> {
		const { key = null, uri = null } = element;
		return this.call("DOMAIN_SET_METADATA", {
			type: METADATA[type],
			metadata: value,
			key,
			uri,
			flags: flagsOf(AFFECT, options),
		});
	}

	/** `memory` in KiB. */
	setMemory(memory: bigint, options: FlagOptions<typeof MEMORY> = {}): Promise<void> {
		return this.call("DOMAIN_SET_MEMORY_FLAGS", { memory, flags: flagsOf(MEMORY, options) });
	}

	setVcpus(count: number, options: FlagOptions<typeof VCPUS> = {}): Promise<void> {
		return this.call("DOMAIN_SET_VCPUS_FLAGS", { nvcpus: count, flags: flagsOf(VCPUS, options) });
	}

	/** Plugs or unplugs those vCPUs, given as a list such as `1-3,^2`. */
	setVcpu(cpus: string, on: boolean, options: Affect = {}): Promise<void> {
		return this.call("DOMAIN_SET_VCPU", { cpumap: cpus, state: on ? 1 : 0, flags: flagsOf(AFFECT, options) });
	}

	/** Has the guest's agent turn its CPUs on or off. */
	setGuestVcpus(cpus: string, on: boolean): Promise<void> {
		return this.call("DOMAIN_SET_GUEST_VCPUS", { cpumap: cpus, state: on ? 1 : 0, flags: 0 });
	}

	/** Lists of the guest's own CPUs: `vcpus` there, `online`, `offlinable`. */
	async guestVcpus(): Promise<Record<string, string>> {
		const { params } = await this.call("DOMAIN_GET_GUEST_VCPUS", { flags: 0 });
		return Object.fromEntries(params.map(({ field, value }) => [field, String(value.value)]));
	}

	/** Numbers of virDomainLifecycle and virDomainLifecycleAction. */
	setLifecycleAction(type: number, action: number, options: Affect = {}): Promise<void> {
		return this.call("DOMAIN_SET_LIFECYCLE_ACTION", { type, action, flags: flagsOf(AFFECT, options) });
	}

	pinVcpu(vcpu: number, cpus: readonly number[], options: Affect = {}): Promise<void> {
		return this.call("DOMAIN_PIN_VCPU_FLAGS", { vcpu, cpumap: encodeCpuMap(cpus), flags: flagsOf(AFFECT, options) });
	}

	pinEmulator(cpus: readonly number[], options: Affect = {}): Promise<void> {
		return this.call("DOMAIN_PIN_EMULATOR", { cpumap: encodeCpuMap(cpus), flags: flagsOf(AFFECT, options) });
	}

	async schedulerParameters(options: Affect = {}): Promise<Parameters> {
		const flags = flagsOf(AFFECT, options);
		const { nparams } = await this.call("DOMAIN_GET_SCHEDULER_TYPE", {});
		return parametersOf((await this.call("DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS", { nparams, flags })).params);
	}

	setSchedulerParameters(params: readonly TypedParameter[], options: Affect = {}): Promise<void> {
		return this.call("DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS", { params: [...params], flags: flagsOf(AFFECT, options) });
	}

	// Devices

	/** Attaches the device that `xml` spells: to the running guest where there is one, else to the definition, unless told. */
	attachDevice(xml: string, options: Affect = {}): Promise<void> {
		return this.call("DOMAIN_ATTACH_DEVICE_FLAGS", { xml, flags: flagsOf(AFFECT, options) });
	}

	/** Detaches the device that `xml` describes. A guest that takes its time lets go later: an event tells. */
	detachDevice(xml: string, options: Affect = {}): Promise<void> {
		return this.call("DOMAIN_DETACH_DEVICE_FLAGS", { xml, flags: flagsOf(AFFECT, options) });
	}

	/** Detaches the device of that alias; only asks the guest to let go, an event tells when it has. */
	detachDeviceAlias(alias: string, options: Affect = {}): Promise<void> {
		return this.call("DOMAIN_DETACH_DEVICE_ALIAS", { alias, flags: flagsOf(AFFECT, options) });
	}

	/** Changes a device into what `xml` says: a drive's medium, an interface's link, a console's password. */
	updateDevice(xml: string, options: FlagOptions<typeof UPDATE_DEVICE> = {}): Promise<void> {
		return this.call("DOMAIN_UPDATE_DEVICE_FLAGS", { xml, flags: flagsOf(UPDATE_DEVICE, options) });
	}

	/** A disk by its target (`vda`) or the path of its image: its block jobs, size and threshold. */
	disk(name: string): Disk {
		return new Disk(this, name);
	}

	/** Its snapshots. */
	get snapshots(): Snapshots {
		return new Snapshots(this.#rpc, this);
	}

	/** Its checkpoints. */
	get checkpoints(): Checkpoints {
		return new Checkpoints(this.#rpc, this);
	}

	/**
	 * Begins the backup that `xml` describes, with a checkpoint at the same moment where `checkpoint` describes one. It goes
	 * on as the domain's job: `jobStats` and `abortJob` are about it, an event of kind `job-completed` tells that it is over.
	 */
	beginBackup(
		xml = "<domainbackup/>",
		options: FlagOptions<typeof BACKUP> & { readonly checkpoint?: string } = {},
	): Promise<void> {
		const { checkpoint = null, ...flags } = options;
		return this.call("DOMAIN_BACKUP_BEGIN", {
			backupXml: xml,
			checkpointXml: checkpoint,
			flags: flagsOf(BACKUP, flags),
		});
	}

	/** The description of the backup under way. Throws NO_DOMAIN_BACKUP where there is none. */
	async backupXml(): Promise<string> {
		return (await this.call("DOMAIN_BACKUP_GET_XML_DESC", { flags: 0 })).xml;
	}

	// Saved state

	/** Saves memory to `path` on the daemon's host and stops the guest. */
	save(path: string, options: FlagOptions<typeof SAVE> & { readonly xml?: string } = {}): Promise<void> {
		const { xml, ...flags } = options;
		return this.call("DOMAIN_SAVE_FLAGS", { to: path, dxml: xml ?? null, flags: flagsOf(SAVE, flags) });
	}

	managedSave(options: FlagOptions<typeof SAVE> = {}): Promise<void> {
		return this.call("DOMAIN_MANAGED_SAVE", { flags: flagsOf(SAVE, options) });
	}

	async hasManagedSave(): Promise<boolean> {
		return (await this.call("DOMAIN_HAS_MANAGED_SAVE_IMAGE", { flags: 0 })).result !== 0;
	}

	removeManagedSave(): Promise<void> {
		return this.call("DOMAIN_MANAGED_SAVE_REMOVE", { flags: 0 });
	}

	/** `format` is virDomainCoreDumpFormat's number, 0 raw. */
	coreDump(path: string, options: FlagOptions<typeof DUMP> & { readonly format?: number } = {}): Promise<void> {
		const { format = 0, ...flags } = options;
		return this.call("DOMAIN_CORE_DUMP_WITH_FORMAT", { to: path, dumpformat: format, flags: flagsOf(DUMP, flags) });
	}

	/** The picture of `screen`, with its MIME type. */
	async screenshot(screen = 0): Promise<{ mime: string; image: Readable }> {
		const { ret, stream } = await this.#rpc.callWithStream("DOMAIN_SCREENSHOT", { dom: this.ref, screen, flags: 0 });
		return { mime: ret.mime ?? "image/x-portable-pixmap", image: stream };
	}

	// Consoles and monitors

	/** Both ways to a console: the first one, or the device of that alias. */
	async openConsole(device: string | null = null, options: FlagOptions<typeof CONSOLE> = {}): Promise<Duplex> {
		const args = { dom: this.ref, devName: device, flags: flagsOf(CONSOLE, options) };
		return (await this.#rpc.callWithStream("DOMAIN_OPEN_CONSOLE", args)).stream;
	}

	/**
	 * A socket to the graphical console of that number (RFB for VNC), made by the daemon; the descriptor is the caller's
	 * to close. Throws ARGUMENT_UNSUPPORTED unless the daemon is on this host and reached by its UNIX socket.
	 */
	async openGraphicsFd(index = 0, options: FlagOptions<typeof GRAPHICS> = {}): Promise<number> {
		const args = { dom: this.ref, idx: index, flags: flagsOf(GRAPHICS, options) };
		const { fds } = await this.#rpc.callWithDescriptors("DOMAIN_OPEN_GRAPHICS_FD", args);
		const [fd, ...more] = fds;
		if (fd !== undefined && more.length === 0) return fd;
		throw new VirtError("INTERNAL_ERROR", `${fds.length} descriptors came, one was wanted`);
	}

	/** Has the console of that number speak over the connected socket `fd`, which stays the caller's. */
	async openGraphics(fd: number, index = 0, options: FlagOptions<typeof GRAPHICS> = {}): Promise<void> {
		const args = { dom: this.ref, idx: index, flags: flagsOf(GRAPHICS, options) };
		await this.#rpc.callWithDescriptors("DOMAIN_OPEN_GRAPHICS", args, { fds: [fd] });
	}

	/** Lends descriptors to disks whose source names that group, as long as this connection lasts; `fds` stay the caller's. */
	async associateFds(name: string, fds: readonly number[], options: FlagOptions<typeof ASSOCIATE> = {}): Promise<void> {
		const args = { dom: this.ref, name, flags: flagsOf(ASSOCIATE, options) };
		await this.#rpc.callWithDescriptors("DOMAIN_FD_ASSOCIATE", args, { fds });
	}

	/** Both ways to a channel of that name or alias. */
	async openChannel(name: string | null = null, options: { readonly force?: boolean } = {}): Promise<Duplex> {
		const args = { dom: this.ref, name, flags: options.force ? 1 : 0 };
		return (await this.#rpc.callWithStream("DOMAIN_OPEN_CHANNEL", args)).stream;
	}

	/** A command of QEMU's monitor: JSON, or HMP's text with `hmp`. */
	async monitorCommand(
		command: string,
		options: FlagOptions<typeof MONITOR> & { readonly fds?: readonly number[] } = {},
	): Promise<string> {
		const { fds = [], ...flags } = options;
		const args = { dom: this.ref, cmd: command, flags: flagsOf(MONITOR, flags) };
		if (fds.length > 0) {
			const passing = { fds, program: "qemu" } as const;
			return (await this.#rpc.callWithDescriptors("DOMAIN_MONITOR_COMMAND_WITH_FILES", args, passing)).ret.result;
		}
		return (await this.#rpc.call("DOMAIN_MONITOR_COMMAND", args, { program: "qemu" })).result;
	}

	/** A command of the guest agent. `timeout` in seconds; −2 waits for ever, −1 as long as the daemon thinks right. */
	async agentCommand(command: string, timeout = -2): Promise<string> {
		const args = { dom: this.ref, cmd: command, timeout, flags: 0 };
		return (await this.#rpc.call("DOMAIN_AGENT_COMMAND", args, { program: "qemu" })).result ?? "";
	}

	/** How long the agent's answers are waited for: seconds; −2 for ever, −1 as long as the daemon thinks right. */
	async setAgentTimeout(timeout: number): Promise<void> {
		await this.call("DOMAIN_AGENT_SET_RESPONSE_TIMEOUT", { timeout, flags: 0 });
	}

	// What the guest agent does

	/** Has the guest hold still the file systems there, or all of them, until they are thawed; answers how many. */
	async freezeFilesystems(mountpoints: readonly string[] = []): Promise<number> {
		return (await this.call("DOMAIN_FSFREEZE", { mountpoints: [...mountpoints], flags: 0 })).filesystems;
	}

	async thawFilesystems(): Promise<number> {
		return (await this.call("DOMAIN_FSTHAW", { mountpoints: [], flags: 0 })).filesystems;
	}

	/** Gives what the guest's file systems do not use back to the host, in ranges of `minimum` bytes or more. */
	trimFilesystems(minimum = 0n): Promise<void> {
		return this.call("DOMAIN_FSTRIM", { mountPoint: null, minimum, flags: 0 });
	}

	/** File systems mounted in the guest, with the targets of the disks under them. */
	async filesystems(): Promise<{ mountpoint: string; name: string; fstype: string; devAliases: string[] }[]> {
		return (await this.call("DOMAIN_GET_FSINFO", { flags: 0 })).info;
	}

	/** What the agent knows of the guest, by libvirt's names; `types` are virDomainGuestInfoTypes, 0 for all of them. */
	async guestInfo(types = 0): Promise<Parameters> {
		return parametersOf((await this.call("DOMAIN_GET_GUEST_INFO", { types, flags: 0 })).params);
	}

	/** Addresses of the guest's interfaces, as its agent or the host's neighbour table has them. */
	async addresses(source: "agent" | "arp" = "agent"): Promise<GuestInterface[]> {
		const args = { source: source === "agent" ? 1 : 2, flags: 0 };
		return (await this.call("DOMAIN_INTERFACE_ADDRESSES", args)).ifaces.map(({ name, hwaddr, addrs }) => ({
			name,
			mac: hwaddr ?? undefined,
			addresses: addrs.map(({ type, addr, prefix }) => ({
				family: type === 0 ? "ipv4" : "ipv6",
				address: addr,
				prefix,
			})),
		}));
	}

	/** `encrypted` where the password is what crypt(3) makes of it. */
	setUserPassword(user: string, password: string, options: { readonly encrypted?: boolean } = {}): Promise<void> {
		return this.call("DOMAIN_SET_USER_PASSWORD", { user, password, flags: options.encrypted ? 1 : 0 });
	}

	/** SSH keys with which a user of the guest may log in. */
	async sshKeys(user: string): Promise<string[]> {
		return (await this.call("DOMAIN_AUTHORIZED_SSH_KEYS_GET", { user, flags: 0 })).keys;
	}

	/** Replaces a user's SSH keys, adds some, or removes some. */
	setSshKeys(user: string, keys: readonly string[], how: "replace" | "append" | "remove" = "replace"): Promise<void> {
		const flags = { replace: 0, append: 1, remove: 2 }[how];
		return this.call("DOMAIN_AUTHORIZED_SSH_KEYS_SET", { user, keys: [...keys], flags });
	}

	/** Performance counters of the host, and which of them are kept of the guest; their figures are in the statistics (`perf`). */
	async perfEvents(options: Affect = {}): Promise<Readonly<Record<string, boolean>>> {
		const { params } = await this.call("DOMAIN_GET_PERF_EVENTS", { flags: flagsOf(AFFECT, options) });
		return Object.fromEntries(params.map(({ field, value }) => [field, value.value === true]));
	}

	/** Turns counters on and off. Throws ARGUMENT_UNSUPPORTED for those that the host's processor lacks. */
	setPerfEvents(events: Readonly<Record<string, boolean>>, options: Affect = {}): Promise<void> {
		const params = Object.entries(events).map(([field, value]) => ({ field, value: { type: 6 as const, value } }));
		return this.call("DOMAIN_SET_PERF_EVENTS", { params, flags: flagsOf(AFFECT, options) });
	}

	// Facts

	async state(): Promise<DomainState> {
		const { state, reason } = await this.call("DOMAIN_GET_STATE", { flags: 0 });
		return stateOf(state, reason);
	}

	async info(): Promise<DomainInfo> {
		const { state, maxMem, memory, nrVirtCpu, cpuTime } = await this.call("DOMAIN_GET_INFO", {});
		return { state: stateName(state), maxMemory: maxMem, memory, vcpus: nrVirtCpu, cpuTime };
	}

	async isActive(): Promise<boolean> {
		return (await this.call("DOMAIN_IS_ACTIVE", {})).active !== 0;
	}

	async isPersistent(): Promise<boolean> {
		return (await this.call("DOMAIN_IS_PERSISTENT", {})).persistent !== 0;
	}

	/** Whether its definition has changed since it was started. */
	async isUpdated(): Promise<boolean> {
		return (await this.call("DOMAIN_IS_UPDATED", {})).updated !== 0;
	}

	async osType(): Promise<string> {
		return (await this.call("DOMAIN_GET_OS_TYPE", {})).type;
	}

	async vcpuCount(options: FlagOptions<typeof VCPUS> = {}): Promise<number> {
		return (await this.call("DOMAIN_GET_VCPUS_FLAGS", { flags: flagsOf(VCPUS, options) })).num;
	}

	/** The vCPUs of the running guest. `hostCpus` bounds the affinity that is told. */
	async vcpus(hostCpus = 1024): Promise<VcpuInfo[]> {
		const { num } = await this.call("DOMAIN_GET_MAX_VCPUS", {});
		const maplen = Math.ceil(hostCpus / 8);
		const { info, cpumaps } = await this.call("DOMAIN_GET_VCPUS", { maxinfo: num, maplen });
		return info.map(({ number, state, cpuTime, cpu }, index) => ({
			number,
			state: VCPU_STATES[state] ?? "offline",
			cpuTime,
			cpu,
			affinity: decodeCpuMap(cpumaps.subarray(index * maplen, (index + 1) * maplen)),
		}));
	}

	/** Statistics of the memory balloon, by virDomainMemoryStatTags number. */
	async memoryStats(): Promise<ReadonlyMap<number, bigint>> {
		const { stats } = await this.call("DOMAIN_MEMORY_STATS", { maxStats: 64, flags: 0 });
		return new Map(stats.map(({ tag, val }) => [tag, val]));
	}

	/** Taints and deprecated settings of the running guest. */
	async messages(options: FlagOptions<typeof MESSAGE> = {}): Promise<string[]> {
		return (await this.call("DOMAIN_GET_MESSAGES", { flags: flagsOf(MESSAGE, options) })).msgs;
	}

	/** Up to 4 MiB of the guest's memory, by its virtual or physical addresses. */
	async memoryPeek(offset: bigint, size: number, kind: "virtual" | "physical" = "virtual"): Promise<Uint8Array> {
		const flags = kind === "virtual" ? 1 : 2;
		return (await this.call("DOMAIN_MEMORY_PEEK", { offset, size, flags })).buffer;
	}

	/** Up to 4 MiB of a disk's image. */
	async blockPeek(path: string, offset: bigint, size: number): Promise<Uint8Array> {
		return (await this.call("DOMAIN_BLOCK_PEEK", { path, offset, size, flags: 0 })).buffer;
	}

	/** Has QEMU measure for that many seconds; the statistics tell what it found. `mode` is virDomainDirtyRateCalcFlags. */
	startDirtyRateCalculation(seconds: number, mode = 0): Promise<void> {
		return this.call("DOMAIN_START_DIRTY_RATE_CALC", { seconds, flags: mode });
	}

	async jobStats(options: FlagOptions<typeof JOB> = {}): Promise<{ type: number; parameters: Parameters }> {
		const { type, params } = await this.call("DOMAIN_GET_JOB_STATS", { flags: flagsOf(JOB, options) });
		return { type, parameters: parametersOf(params) };
	}

	abortJob(): Promise<void> {
		return this.call("DOMAIN_ABORT_JOB", {});
	}
}

/** virDomainBackupBeginFlags */
const BACKUP = { reuseExternal: 1 } as const;
/** virDomainMetadataType */
const METADATA = { description: 0, title: 1, element: 2 } as const;
