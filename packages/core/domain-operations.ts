// The hypervisor interface for domains: what every driver may offer and every front-end may ask, one member an operation.

import type { Duplex, Readable } from "node:stream";
import type { JobLock } from "@virtkit/base/job-lock";
import type { DomainRef } from "./domain-ref.ts";
import type { DomainState, DomainStateName } from "./domain-state.ts";
import type { TypedParam } from "./typed-params.ts";

/** Who asks, and how long they stay. */
export interface CallContext {
	/** Aborts when the caller goes away or cancels. */
	readonly signal: AbortSignal;
	readonly readOnly: boolean;
	/** For messages, logs and access rules: `unix uid 0 pid 12`. */
	readonly caller: string;
	/** Runs `end` when the caller's connection ends (autodestroy), unless disposed before. */
	onClose(end: () => void): Disposable;
}

/** A driver's live object of one domain: its identity, its state and its job lock are everybody's business. */
export interface DomainHandle extends DomainRef {
	readonly stateName: DomainStateName;
	readonly lock: JobLock;
}

export interface DomainInfo {
	readonly state: number;
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
	/** offline 0, running 1, blocked 2. */
	readonly state: number;
	/** Nanoseconds. */
	readonly cpuTime: bigint;
	/** Host CPU it last ran on. */
	readonly cpu: number;
	/** Host CPUs it may run on. */
	readonly affinity: readonly number[];
	/** Linux thread id. */
	readonly tid: number;
}

/** A file system mounted in the guest. */
export interface GuestFilesystem {
	readonly mountpoint: string;
	readonly name: string;
	readonly type: string;
	/** Targets of the disks it is on. */
	readonly targets: readonly string[];
}

/** A network interface as the guest has it. */
export interface GuestInterface {
	readonly name: string;
	readonly mac: string | undefined;
	readonly addresses: readonly {
		readonly family: "ipv4" | "ipv6";
		readonly address: string;
		/** Bits; 0 where unknown. */
		readonly prefix: number;
	}[];
}

export interface BlockInfo {
	/** Bytes the guest sees. */
	readonly capacity: bigint;
	/** Bytes in use on the host. */
	readonly allocation: bigint;
	/** Bytes of the container on the host. */
	readonly physical: bigint;
}

/** Counters since the start; −1 where unknown. */
export interface BlockStats {
	readonly readRequests: bigint;
	readonly readBytes: bigint;
	readonly writeRequests: bigint;
	readonly writeBytes: bigint;
	readonly errors: bigint;
}

export interface InterfaceStats {
	readonly rxBytes: bigint;
	readonly rxPackets: bigint;
	readonly rxErrors: bigint;
	readonly rxDropped: bigint;
	readonly txBytes: bigint;
	readonly txPackets: bigint;
	readonly txErrors: bigint;
	readonly txDropped: bigint;
}

export interface JobStats {
	/** virDomainJobType: none 0, bounded 1, unbounded 2, completed 3, failed 4, cancelled 5. */
	readonly type: number;
	readonly params: readonly TypedParam[];
}

export interface ControlInfo {
	/** ok 0, job 1, occupied 2, error 3. */
	readonly state: number;
	readonly details: number;
	/** Milliseconds since the state was entered. */
	readonly stateTime: bigint;
}

/** An I/O thread and the host CPUs that it may run on. */
export interface IOThreadInfo {
	readonly id: number;
	readonly cpus: readonly number[];
}

/** A block job as clients watch it. */
export interface BlockJobInfo {
	/** virDomainBlockJobType. */
	readonly type: number;
	/** MiB or bytes a second, as asked; 0 for no limit. */
	readonly bandwidth: bigint;
	readonly cur: bigint;
	readonly end: bigint;
}

type Async<T> = T | Promise<T>;

/**
 * Operations on one domain. All end in flags (libvirt's own numbers; the operation's row in operations.ts says which it
 * takes) and who asks, so that `invoke` needs to be told neither twice.
 */
export interface DomainOperations<D extends DomainHandle> {
	// Lifecycle
	start(domain: D, flags: number, context: CallContext): Async<void>;
	shutdown(domain: D, flags: number, context: CallContext): Async<void>;
	reboot(domain: D, flags: number, context: CallContext): Async<void>;
	reset(domain: D, flags: number, context: CallContext): Async<void>;
	destroy(domain: D, flags: number, context: CallContext): Async<void>;
	suspend(domain: D, flags: number, context: CallContext): Async<void>;
	resume(domain: D, flags: number, context: CallContext): Async<void>;
	pmSuspend(domain: D, target: number, duration: bigint, flags: number, context: CallContext): Async<void>;
	pmWakeup(domain: D, flags: number, context: CallContext): Async<void>;
	injectNmi(domain: D, flags: number, context: CallContext): Async<void>;
	sendKey(
		domain: D,
		keys: { codeset: number; holdTime: number; keycodes: readonly number[] },
		flags: number,
		context: CallContext,
	): Async<void>;

	// Configuration
	undefine(domain: D, flags: number, context: CallContext): Async<void>;
	rename(domain: D, name: string, flags: number, context: CallContext): Async<void>;
	getAutostart(domain: D, flags: number, context: CallContext): boolean;
	setAutostart(domain: D, on: boolean, flags: number, context: CallContext): Async<void>;
	getAutostartOnce(domain: D, flags: number, context: CallContext): boolean;
	setAutostartOnce(domain: D, on: boolean, flags: number, context: CallContext): Async<void>;
	xml(domain: D, flags: number, context: CallContext): Async<string>;
	getMetadata(domain: D, type: number, uri: string | undefined, flags: number, context: CallContext): Async<string>;
	/** `value` undefined removes it. */
	setMetadata(
		domain: D,
		metadata: { type: number; value?: string; key?: string; uri?: string },
		flags: number,
		context: CallContext,
	): Async<void>;
	/** KiB. */
	setMemory(domain: D, kib: bigint, flags: number, context: CallContext): Async<void>;
	setVcpus(domain: D, count: number, flags: number, context: CallContext): Async<void>;
	/** Numbers of virDomainLifecycle and virDomainLifecycleAction. */
	setLifecycleAction(domain: D, type: number, action: number, flags: number, context: CallContext): Async<void>;
	/** `cpus` as a list of numbers, `on` whether they are to be there. */
	setVcpu(domain: D, cpus: string, on: number, flags: number, context: CallContext): Async<void>;
	setGuestVcpus(domain: D, cpus: string, on: number, flags: number, context: CallContext): Async<void>;
	setMemoryStatsPeriod(domain: D, seconds: number, flags: number, context: CallContext): Async<void>;
	pinVcpu(domain: D, vcpu: number, cpus: readonly number[], flags: number, context: CallContext): Async<void>;
	pinEmulator(domain: D, cpus: readonly number[], flags: number, context: CallContext): Async<void>;
	setSchedulerParameters(domain: D, params: readonly TypedParam[], flags: number, context: CallContext): Async<void>;
	/** Booleans by the counters' names. */
	setPerfEvents(domain: D, params: readonly TypedParam[], flags: number, context: CallContext): Async<void>;
	setMemoryParameters(domain: D, params: readonly TypedParam[], flags: number, context: CallContext): Async<void>;
	setBlkioParameters(domain: D, params: readonly TypedParam[], flags: number, context: CallContext): Async<void>;
	setNumaParameters(domain: D, params: readonly TypedParam[], flags: number, context: CallContext): Async<void>;
	pinIothread(domain: D, id: number, cpus: readonly number[], flags: number, context: CallContext): Async<void>;
	addIothread(domain: D, id: number, flags: number, context: CallContext): Async<void>;
	deleteIothread(domain: D, id: number, flags: number, context: CallContext): Async<void>;
	setIothreadParameters(
		domain: D,
		id: number,
		params: readonly TypedParam[],
		flags: number,
		context: CallContext,
	): Async<void>;
	setInterfaceParameters(
		domain: D,
		device: string,
		params: readonly TypedParam[],
		flags: number,
		context: CallContext,
	): Async<void>;
	setBlockIoTune(
		domain: D,
		path: string,
		params: readonly TypedParam[],
		flags: number,
		context: CallContext,
	): Async<void>;

	// Devices
	attachDevice(domain: D, xml: string, flags: number, context: CallContext): Async<void>;
	detachDevice(domain: D, xml: string, flags: number, context: CallContext): Async<void>;
	detachDeviceAlias(domain: D, alias: string, flags: number, context: CallContext): Async<void>;
	updateDevice(domain: D, xml: string, flags: number, context: CallContext): Async<void>;

	// Saved state
	save(
		domain: D,
		request: { path: string; xml?: string; format?: string },
		flags: number,
		context: CallContext,
	): Async<void>;
	managedSave(domain: D, flags: number, context: CallContext): Async<void>;
	hasManagedSave(domain: D, flags: number, context: CallContext): Async<boolean>;
	removeManagedSave(domain: D, flags: number, context: CallContext): Async<void>;
	managedSaveXml(domain: D, flags: number, context: CallContext): Async<string>;
	defineManagedSaveXml(domain: D, xml: string, flags: number, context: CallContext): Async<void>;
	coreDump(domain: D, request: { path: string; format: number }, flags: number, context: CallContext): Async<void>;
	screenshot(
		domain: D,
		screen: number,
		flags: number,
		context: CallContext,
	): Promise<{ mime: string; image: Readable }>;

	// Live migration (virDomainMigrate3Params)
	migrateBegin(
		domain: D,
		params: readonly TypedParam[],
		flags: number,
		context: CallContext,
	): Promise<{ cookie: Uint8Array; xml: string }>;
	/** With `peer`, a connection URI, the source leads all phases itself. */
	migratePerform(
		domain: D,
		request: { params: readonly TypedParam[]; cookie: Uint8Array; peer?: string },
		flags: number,
		context: CallContext,
	): Promise<{ cookie: Uint8Array }>;
	migrateConfirm(domain: D, cancelled: boolean, flags: number, context: CallContext): Promise<void>;

	/** Has the guest go on at its destination, before all of its memory is there. */
	migrateStartPostcopy(domain: D, flags: number, context: CallContext): Async<void>;
	/** Milliseconds that the guest may stand still at the end. */
	migrateSetMaxDowntime(domain: D, downtime: bigint, flags: number, context: CallContext): Async<void>;
	migrateMaxDowntime(domain: D, flags: number, context: CallContext): Async<bigint>;
	/** MiB a second. */
	migrateSetMaxSpeed(domain: D, speed: bigint, flags: number, context: CallContext): Async<void>;
	migrateMaxSpeed(domain: D, flags: number, context: CallContext): Async<bigint>;
	/** Bytes. */
	migrateSetCompressionCache(domain: D, size: bigint, flags: number, context: CallContext): Async<void>;
	migrateCompressionCache(domain: D, flags: number, context: CallContext): Async<bigint>;

	// Images of a running guest's disks; bandwidths are MiB or bytes a second, as the flags say
	blockJobAbort(domain: D, path: string, flags: number, context: CallContext): Async<void>;
	/** Undefined where the disk has no job. */
	blockJobInfo(domain: D, path: string, flags: number, context: CallContext): Async<BlockJobInfo | undefined>;
	blockJobSetSpeed(domain: D, path: string, bandwidth: bigint, flags: number, context: CallContext): Async<void>;
	blockPull(domain: D, path: string, bandwidth: bigint, flags: number, context: CallContext): Async<void>;
	blockRebase(
		domain: D,
		request: { path: string; base: string | undefined; bandwidth: bigint },
		flags: number,
		context: CallContext,
	): Async<void>;
	blockCommit(
		domain: D,
		request: { path: string; base: string | undefined; top: string | undefined; bandwidth: bigint },
		flags: number,
		context: CallContext,
	): Async<void>;
	blockCopy(
		domain: D,
		request: {
			path: string;
			xml: string;
			/** Bytes a second. */
			bandwidth: number;
			/** Bytes. */
			granularity?: number | undefined;
			/** Bytes. */
			bufferSize?: number | undefined;
		},
		flags: number,
		context: CallContext,
	): Async<void>;
	/** KiB, or bytes as the flags say. */
	blockResize(domain: D, path: string, size: bigint, flags: number, context: CallContext): Async<void>;
	/** `device` is a disk's target, or `vda[3]` for an image of it; bytes. */
	setBlockThreshold(domain: D, device: string, threshold: bigint, flags: number, context: CallContext): Async<void>;

	// Snapshots, each by its name
	/** Takes, or with its flag makes known, the snapshot that `xml` describes; comes to its name. */
	createSnapshot(domain: D, xml: string, flags: number, context: CallContext): Promise<string>;
	/** The name again, where there is a snapshot of that name. */
	findSnapshot(domain: D, name: string, flags: number, context: CallContext): string;
	/** Names of the domain's snapshots; of those below `from` where that is given. */
	snapshots(domain: D, from: string | undefined, flags: number, context: CallContext): readonly string[];
	snapshotXml(domain: D, name: string, flags: number, context: CallContext): string;
	/** The snapshot that the domain is at; undefined where it is at none. */
	currentSnapshot(domain: D, flags: number, context: CallContext): string | undefined;
	snapshotParent(domain: D, name: string, flags: number, context: CallContext): string;
	snapshotIsCurrent(domain: D, name: string, flags: number, context: CallContext): boolean;
	snapshotHasMetadata(domain: D, name: string, flags: number, context: CallContext): boolean;
	revertToSnapshot(domain: D, name: string, flags: number, context: CallContext): Promise<void>;
	deleteSnapshot(domain: D, name: string, flags: number, context: CallContext): Promise<void>;

	// Checkpoints, each by its name, and backups
	/** Makes, or with its flag makes known, the checkpoint that `xml` describes; comes to its name. */
	createCheckpoint(domain: D, xml: string, flags: number, context: CallContext): Promise<string>;
	/** The name again, where there is a checkpoint of that name. */
	findCheckpoint(domain: D, name: string, flags: number, context: CallContext): string;
	/** Names of the domain's checkpoints; of those below `from` where that is given. */
	checkpoints(domain: D, from: string | undefined, flags: number, context: CallContext): readonly string[];
	checkpointXml(domain: D, name: string, flags: number, context: CallContext): Promise<string>;
	checkpointParent(domain: D, name: string, flags: number, context: CallContext): string;
	deleteCheckpoint(domain: D, name: string, flags: number, context: CallContext): Promise<void>;
	/** Begins the backup that `xml` describes, with a checkpoint at the same moment; it goes on as the domain's job. */
	beginBackup(
		domain: D,
		request: { xml: string; checkpointXml: string | undefined },
		flags: number,
		context: CallContext,
	): Promise<void>;
	/** The backup under way. */
	backupXml(domain: D, flags: number, context: CallContext): string;

	// Consoles and channels
	openConsole(domain: D, device: string | undefined, flags: number, context: CallContext): Promise<Duplex>;
	openChannel(domain: D, name: string | undefined, flags: number, context: CallContext): Promise<Duplex>;
	/** A connected socket that the console of that number speaks over. The caller's to close; so are those below. */
	openGraphics(domain: D, index: number, fd: number, flags: number, context: CallContext): Promise<void>;
	/** Comes to the descriptor of such a socket. */
	openGraphicsFd(domain: D, index: number, flags: number, context: CallContext): Promise<number>;
	/** Keeps copies of `fds` for the domain's disks, under that name, until the caller's connection ends. */
	associateFds(domain: D, name: string, fds: readonly number[], flags: number, context: CallContext): Async<void>;
	monitorCommand(
		domain: D,
		command: string,
		fds: readonly number[],
		flags: number,
		context: CallContext,
	): Promise<string>;
	/** `timeout`: block −2, default −1, no wait 0, else seconds. */
	agentCommand(domain: D, command: string, timeout: number, flags: number, context: CallContext): Promise<string>;

	/** Seconds that the agent's answers are waited for: for ever −2, the daemon's own −1, not at all 0. */
	setAgentTimeout(domain: D, timeout: number, flags: number, context: CallContext): Async<void>;

	// What the guest does to itself, by its agent
	/** Comes to how many file systems were frozen; with no mount points, of all. */
	fsFreeze(domain: D, mountpoints: readonly string[], flags: number, context: CallContext): Promise<number>;
	fsThaw(domain: D, mountpoints: readonly string[], flags: number, context: CallContext): Promise<number>;
	/** `minimum` is the smallest range to give back, in bytes. */
	fsTrim(
		domain: D,
		mountpoint: string | undefined,
		minimum: bigint,
		flags: number,
		context: CallContext,
	): Promise<void>;
	setUserPassword(
		domain: D,
		account: { readonly user: string; readonly password: string },
		flags: number,
		context: CallContext,
	): Promise<void>;
	setSshKeys(
		domain: D,
		request: { readonly user: string; readonly keys: readonly string[] },
		flags: number,
		context: CallContext,
	): Promise<void>;

	// Facts
	info(domain: D, flags: number, context: CallContext): Async<DomainInfo>;
	state(domain: D, flags: number, context: CallContext): DomainState;
	isPersistent(domain: D, flags: number, context: CallContext): boolean;
	isUpdated(domain: D, flags: number, context: CallContext): boolean;
	controlInfo(domain: D, flags: number, context: CallContext): ControlInfo;
	osType(domain: D, flags: number, context: CallContext): string;
	/** KiB. */
	maxMemory(domain: D, flags: number, context: CallContext): bigint;
	maxVcpus(domain: D, flags: number, context: CallContext): number;
	vcpuCount(domain: D, flags: number, context: CallContext): Async<number>;
	vcpus(domain: D, flags: number, context: CallContext): Async<readonly VcpuInfo[]>;
	/** Affinity of each vCPU as configured or live. */
	vcpuPins(domain: D, flags: number, context: CallContext): Async<readonly (readonly number[])[]>;
	emulatorPin(domain: D, flags: number, context: CallContext): Async<readonly number[]>;
	schedulerType(domain: D, flags: number, context: CallContext): { type: string; parameters: number };
	iothreads(domain: D, flags: number, context: CallContext): Async<readonly IOThreadInfo[]>;
	schedulerParameters(domain: D, flags: number, context: CallContext): Async<readonly TypedParam[]>;
	/** Each performance counter libvirt knows, and whether it is kept. */
	perfEvents(domain: D, flags: number, context: CallContext): Async<readonly TypedParam[]>;
	memoryParameters(domain: D, flags: number, context: CallContext): Async<readonly TypedParam[]>;
	blkioParameters(domain: D, flags: number, context: CallContext): Async<readonly TypedParam[]>;
	numaParameters(domain: D, flags: number, context: CallContext): Async<readonly TypedParam[]>;
	memoryStats(domain: D, flags: number, context: CallContext): Async<readonly { tag: number; value: bigint }[]>;
	blockInfo(domain: D, path: string, flags: number, context: CallContext): Async<BlockInfo>;
	blockStats(domain: D, path: string, flags: number, context: CallContext): Async<BlockStats>;
	blockStatsParameters(domain: D, path: string, flags: number, context: CallContext): Async<readonly TypedParam[]>;
	blockIoTune(domain: D, path: string, flags: number, context: CallContext): Async<readonly TypedParam[]>;
	/** `device` by the host's name or MAC address. */
	interfaceParameters(domain: D, device: string, flags: number, context: CallContext): readonly TypedParam[];
	interfaceStats(domain: D, device: string, flags: number, context: CallContext): Async<InterfaceStats>;
	cpuStats(
		domain: D,
		startCpu: number,
		count: number,
		flags: number,
		context: CallContext,
	): Async<{ perCpu: number; params: readonly TypedParam[] }>;
	/** (path, offset, errors) of disks that failed. */
	diskErrors(domain: D, flags: number, context: CallContext): Async<readonly { disk: string; error: number }[]>;
	jobStats(domain: D, flags: number, context: CallContext): Async<JobStats>;
	abortJob(domain: D, flags: number, context: CallContext): Async<void>;
	hostname(domain: D, flags: number, context: CallContext): Promise<string>;
	time(domain: D, flags: number, context: CallContext): Promise<{ seconds: bigint; nanoseconds: number }>;
	setTime(
		domain: D,
		time: { seconds: bigint; nanoseconds: number },
		flags: number,
		context: CallContext,
	): Promise<void>;
	securityLabels(
		domain: D,
		flags: number,
		context: CallContext,
	): Async<readonly { label: string; enforcing: boolean }[]>;
	/** What is odd about the running guest: taints and deprecated settings (virDomainMessageType). */
	messages(domain: D, flags: number, context: CallContext): Async<readonly string[]>;
	/** Bytes of the guest's memory, by its virtual or physical addresses. */
	memoryPeek(domain: D, offset: bigint, size: number, flags: number, context: CallContext): Promise<Uint8Array>;
	/** Bytes of a disk's image. */
	blockPeek(
		domain: D,
		path: string,
		offset: bigint,
		size: number,
		flags: number,
		context: CallContext,
	): Async<Uint8Array>;
	startDirtyRateCalculation(domain: D, seconds: number, flags: number, context: CallContext): Async<void>;
	/** File systems mounted in the guest, as its agent tells. */
	filesystems(domain: D, flags: number, context: CallContext): Promise<readonly GuestFilesystem[]>;
	/** What the agent knows of the guest, by virDomainGuestInfoTypes; with 0 all that it is able to tell. */
	guestInfo(domain: D, types: number, flags: number, context: CallContext): Promise<readonly TypedParam[]>;
	/** By virDomainInterfaceAddressesSource: leases 0, the agent 1, the host's neighbours 2. */
	interfaceAddresses(
		domain: D,
		source: number,
		flags: number,
		context: CallContext,
	): Promise<readonly GuestInterface[]>;
	/** Keys that a user of the guest may log in with. */
	sshKeys(domain: D, user: string, flags: number, context: CallContext): Promise<readonly string[]>;
	/** What the guest itself says of its vCPUs: lists of those there, online, and that can be taken off. */
	guestVcpus(domain: D, flags: number, context: CallContext): Async<readonly TypedParam[]>;
	/** Parameters of the stats groups asked for (virDomainStatsTypes). */
	stats(domain: D, groups: number, flags: number, context: CallContext): Async<readonly TypedParam[]>;
}

/** Operations on a connection's domains as a whole. */
export interface DomainCollection<D extends DomainHandle> {
	/** Every domain, defined or running, in no promised order. */
	all(): Iterable<D>;
	byUuid(uuid: string): D | undefined;
	byName(name: string): D | undefined;
	byId(id: number): D | undefined;
	define(xml: string, flags: number, context: CallContext): Async<D>;
	/** Defines and starts a transient domain. */
	create(xml: string, flags: number, context: CallContext): Async<D>;
	/** Starts what waits for a guest from another host; `uri` is where that one sends it, if it sends any. */
	migratePrepare?(
		request: { params: readonly TypedParam[]; cookie: Uint8Array; tunnel?: Duplex | undefined },
		flags: number,
		context: CallContext,
	): Promise<{ cookie: Uint8Array; uri: string | undefined }>;
	/** Lets the guest that arrived run, or ends what waited for it. */
	migrateFinish?(
		request: { params: readonly TypedParam[]; cookie: Uint8Array; cancelled: boolean },
		flags: number,
		context: CallContext,
	): Promise<{ domain: D; cookie: Uint8Array }>;
	restore(request: { path: string; xml?: string }, flags: number, context: CallContext): Async<D>;
	saveImageXml(path: string, flags: number, context: CallContext): Async<string>;
	defineSaveImageXml(path: string, xml: string, flags: number, context: CallContext): Async<void>;
	xmlToNative(format: string, xml: string, flags: number, context: CallContext): Async<string>;
	xmlFromNative(format: string, native: string, flags: number, context: CallContext): Async<string>;
	hasManagedSave(domain: D): boolean;
	hasSnapshots(domain: D): boolean;
	hasCheckpoints(domain: D): boolean;
}

export type DomainOperationName = keyof DomainOperations<DomainHandle>;
