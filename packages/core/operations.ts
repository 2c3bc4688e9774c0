// The table of domain operations: for each the flags it takes, the states it is legal in, the job it needs and whether it changes anything.

import type { AsyncJobKind, JobKind } from "@virtkit/base/job-lock";
import type { DomainOperationName } from "./domain-operations.ts";
import type { DomainStateName } from "./domain-state.ts";

/** True where the operation is legal, else why not. */
export type Legality = Readonly<Record<DomainStateName, true | string>>;

/** Why most of what concerns a running guest is refused. */
export const NOT_RUNNING = "domain is not running";
const RUNNING = "domain is already running";
const SLEEPING = "domain is pmsuspended";

const ALWAYS: Legality = {
	nostate: true,
	running: true,
	blocked: true,
	paused: true,
	shutdown: true,
	shutoff: true,
	crashed: true,
	pmsuspended: true,
};
const ACTIVE: Legality = { ...ALWAYS, shutoff: NOT_RUNNING };
const RUNNING_ONLY: Legality = {
	...ACTIVE,
	paused: NOT_RUNNING,
	shutdown: NOT_RUNNING,
	crashed: NOT_RUNNING,
	pmsuspended: NOT_RUNNING,
};
const INACTIVE: Legality = notWhileActive(RUNNING);
const AWAKE: Legality = { ...ACTIVE, pmsuspended: SLEEPING };

export interface OperationRow {
	/** libvirt's public function, for messages. */
	readonly api: string;
	/** Flags it takes; others are refused. */
	readonly flags: number;
	readonly legal: Legality;
	/** The job it runs under; `none` for what only looks at the daemon's own memory or takes its jobs itself. */
	readonly job: JobKind | { readonly async: AsyncJobKind } | "none";
	/** Refused on read-only connections. */
	readonly writes: boolean;
	/** libvirt's access-control permission on the domain. */
	readonly access: string;
}

const row = (
	api: string,
	flags: number,
	legal: Legality,
	job: OperationRow["job"],
	writes: boolean,
	access: string,
): OperationRow => ({
	api,
	flags,
	legal,
	job,
	writes,
	access,
});

/** A fact that needs no monitor: no job, any state, no change. */
const fact = (api: string, flags = 0): OperationRow => row(api, flags, ALWAYS, "none", false, "read");
/** A fact that the running QEMU is asked for. */
const query = (api: string, flags = 0, legal = ACTIVE): OperationRow => row(api, flags, legal, "query", false, "read");

/** VIR_DOMAIN_AFFECT_LIVE 1 and _CONFIG 2; VIR_TYPED_PARAM_STRING_OKAY 4. */
const AFFECT = 3;
const AFFECT_PARAMS = 7;
/** VIR_DOMAIN_VCPU_MAXIMUM 4, _GUEST 8, _HOTPLUGGABLE 16. */
const VCPU_FLAGS = AFFECT | 28;
/** VIR_DOMAIN_SAVE_BYPASS_CACHE 1, _RUNNING 2, _PAUSED 4, _RESET_NVRAM 8. */
const SAVE_FLAGS = 7;

/**
 * VIR_MIGRATE_LIVE 1, _PEER2PEER 2, _TUNNELLED 4, _PERSIST_DEST 8, _UNDEFINE_SOURCE 16, _PAUSED 32, _NON_SHARED_DISK 64,
 * _NON_SHARED_INC 128, _CHANGE_PROTECTION 256, _UNSAFE 512, _OFFLINE 1024, _COMPRESSED 2048, _ABORT_ON_ERROR 4096,
 * _AUTO_CONVERGE 8192, _RDMA_PIN_ALL 2^14, _POSTCOPY 2^15, _TLS 2^16, _PARALLEL 2^17, _NON_SHARED_SYNCHRONOUS_WRITES 2^18,
 * _POSTCOPY_RESUME 2^19, _ZEROCOPY 2^20.
 */
export const MIGRATE_FLAGS = 0x1fffff;

/** Flags are those that libvirt's QEMU driver takes; source: its public headers. */
export const DOMAIN_OPERATIONS: Readonly<Record<DomainOperationName, OperationRow>> = {
	start: row("virDomainCreateWithFlags", 0x2f, INACTIVE, { async: "start" }, true, "start"),
	shutdown: row("virDomainShutdownFlags", 3, RUNNING_ONLY, "modify", true, "init_control"),
	reboot: row("virDomainReboot", 3, AWAKE, "modify", true, "init_control"),
	reset: row("virDomainReset", 0, ACTIVE, "modify", true, "reset"),
	// Takes its job itself: what ends QEMU must not wait for who waits for QEMU.
	destroy: row("virDomainDestroyFlags", 3, ACTIVE, "none", true, "stop"),
	suspend: row("virDomainSuspend", 0, AWAKE, "suspend", true, "suspend"),
	resume: row("virDomainResume", 0, { ...AWAKE, running: RUNNING }, "modify", true, "suspend"),
	pmSuspend: row("virDomainPMSuspendForDuration", 0, ACTIVE, "modify", true, "pm_control"),
	pmWakeup: row("virDomainPMWakeup", 0, ACTIVE, "modify", true, "pm_control"),
	injectNmi: row("virDomainInjectNMI", 0, ACTIVE, "modify", true, "inject_nmi"),
	sendKey: row("virDomainSendKey", 0, ACTIVE, "modify", true, "send_input"),

	undefine: row("virDomainUndefineFlags", 0x7f, ALWAYS, "modify", true, "delete"),
	rename: row("virDomainRename", 0, notWhileActive("cannot rename active domain"), "modify", true, "write"),
	getAutostart: fact("virDomainGetAutostart"),
	setAutostart: row("virDomainSetAutostart", 0, ALWAYS, "modify", true, "write"),
	getAutostartOnce: fact("virDomainGetAutostartOnce"),
	setAutostartOnce: row("virDomainSetAutostartOnce", 0, ALWAYS, "modify", true, "write"),
	xml: row("virDomainGetXMLDesc", 0xf, ALWAYS, "none", false, "read"),
	getMetadata: fact("virDomainGetMetadata", AFFECT),
	setMetadata: row("virDomainSetMetadata", AFFECT, ALWAYS, "modify", true, "write"),
	setMemory: row("virDomainSetMemoryFlags", AFFECT | 4, ALWAYS, "modify", true, "write"),
	setVcpus: row("virDomainSetVcpusFlags", VCPU_FLAGS, ALWAYS, "modify", true, "write"),
	setLifecycleAction: row("virDomainSetLifecycleAction", AFFECT, ALWAYS, "modify", true, "write"),
	setVcpu: row("virDomainSetVcpu", AFFECT, ALWAYS, "modify", true, "write"),
	setGuestVcpus: row("virDomainSetGuestVcpus", 0, ACTIVE, "none", true, "write"),
	setMemoryStatsPeriod: row("virDomainSetMemoryStatsPeriod", AFFECT, ALWAYS, "modify", true, "write"),
	pinVcpu: row("virDomainPinVcpuFlags", AFFECT, ALWAYS, "modify", true, "write"),
	pinEmulator: row("virDomainPinEmulator", AFFECT, ALWAYS, "modify", true, "write"),
	setSchedulerParameters: row("virDomainSetSchedulerParametersFlags", AFFECT, ALWAYS, "modify", true, "write"),
	setPerfEvents: row("virDomainSetPerfEvents", AFFECT, ALWAYS, "modify", true, "write"),
	setMemoryParameters: row("virDomainSetMemoryParameters", AFFECT, ALWAYS, "modify", true, "write"),
	setBlkioParameters: row("virDomainSetBlkioParameters", AFFECT, ALWAYS, "modify", true, "write"),
	setNumaParameters: row("virDomainSetNumaParameters", AFFECT, ALWAYS, "modify", true, "write"),
	pinIothread: row("virDomainPinIOThread", AFFECT, ALWAYS, "modify", true, "write"),
	addIothread: row("virDomainAddIOThread", AFFECT, ALWAYS, "modify", true, "write"),
	deleteIothread: row("virDomainDelIOThread", AFFECT, ALWAYS, "modify", true, "write"),
	setIothreadParameters: row("virDomainSetIOThreadParams", AFFECT, ALWAYS, "modify", true, "write"),
	setInterfaceParameters: row("virDomainSetInterfaceParameters", AFFECT, ALWAYS, "modify", true, "write"),
	setBlockIoTune: row("virDomainSetBlockIoTune", AFFECT, ALWAYS, "modify", true, "write"),

	attachDevice: row("virDomainAttachDeviceFlags", AFFECT, ALWAYS, "modify", true, "write"),
	detachDevice: row("virDomainDetachDeviceFlags", AFFECT, ALWAYS, "modify", true, "write"),
	detachDeviceAlias: row("virDomainDetachDeviceAlias", AFFECT, ALWAYS, "modify", true, "write"),
	updateDevice: row("virDomainUpdateDeviceFlags", AFFECT | 4, ALWAYS, "modify", true, "write"),

	save: row("virDomainSaveParams", SAVE_FLAGS, ACTIVE, { async: "save" }, true, "hibernate"),
	managedSave: row("virDomainManagedSave", SAVE_FLAGS, ACTIVE, { async: "save" }, true, "hibernate"),
	hasManagedSave: fact("virDomainHasManagedSaveImage"),
	removeManagedSave: row("virDomainManagedSaveRemove", 0, ALWAYS, "modify", true, "hibernate"),
	managedSaveXml: row("virDomainManagedSaveGetXMLDesc", 1, ALWAYS, "none", false, "read"),
	// The driver checks the flags, once it has found that there is a saved state.
	defineManagedSaveXml: row("virDomainManagedSaveDefineXML", 0xffffffff, ALWAYS, "modify", true, "hibernate"),
	coreDump: row("virDomainCoreDumpWithFormat", 0x1f, ACTIVE, { async: "dump" }, true, "core_dump"),
	// A migration holds its job from one call to the next, so its steps take and give it themselves.
	migrateBegin: row("virDomainMigrateBegin3Params", MIGRATE_FLAGS, ALWAYS, "none", true, "migrate"),
	migratePerform: row("virDomainMigratePerform3Params", MIGRATE_FLAGS, ALWAYS, "none", true, "migrate"),
	migrateConfirm: row("virDomainMigrateConfirm3Params", MIGRATE_FLAGS, ALWAYS, "none", true, "migrate"),
	migrateStartPostcopy: row("virDomainMigrateStartPostCopy", 0, ACTIVE, "migration-op", true, "migrate"),
	migrateSetMaxDowntime: row("virDomainMigrateSetMaxDowntime", 0, ACTIVE, "migration-op", true, "migrate"),
	migrateMaxDowntime: row("virDomainMigrateGetMaxDowntime", 0, ACTIVE, "query", false, "migrate"),
	// VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY 1.
	migrateSetMaxSpeed: row("virDomainMigrateSetMaxSpeed", 1, ALWAYS, "migration-op", true, "migrate"),
	migrateMaxSpeed: row("virDomainMigrateGetMaxSpeed", 1, ALWAYS, "query", true, "migrate"),
	migrateSetCompressionCache: row("virDomainMigrateSetCompressionCache", 0, ACTIVE, "migration-op", true, "migrate"),
	migrateCompressionCache: row("virDomainMigrateGetCompressionCache", 0, ACTIVE, "query", false, "migrate"),
	screenshot: row("virDomainScreenshot", 0, ACTIVE, "query", false, "screenshot"),

	blockJobAbort: row("virDomainBlockJobAbort", 3, ACTIVE, "modify", true, "write"),
	blockJobInfo: query("virDomainGetBlockJobInfo", 1),
	blockJobSetSpeed: row("virDomainBlockJobSetSpeed", 1, ACTIVE, "modify", true, "write"),
	blockPull: row("virDomainBlockPull", 0x40, ACTIVE, "modify", true, "block_write"),
	blockRebase: row("virDomainBlockRebase", 0x7f, ACTIVE, "modify", true, "block_write"),
	blockCommit: row("virDomainBlockCommit", 0x1f, ACTIVE, "modify", true, "block_write"),
	blockCopy: row("virDomainBlockCopy", 0xf, ACTIVE, "modify", true, "block_write"),
	blockResize: row("virDomainBlockResize", 1, ACTIVE, "modify", true, "block_write"),
	setBlockThreshold: row("virDomainSetBlockThreshold", 0, ACTIVE, "modify", true, "write"),

	openConsole: row("virDomainOpenConsole", 3, ACTIVE, "none", true, "open_device"),
	openChannel: row("virDomainOpenChannel", 1, ACTIVE, "none", true, "open_device"),
	openGraphics: row("virDomainOpenGraphics", 1, ACTIVE, "modify", true, "open_graphics"),
	openGraphicsFd: row("virDomainOpenGraphicsFD", 1, ACTIVE, "modify", true, "open_graphics"),
	associateFds: row("virDomainFDAssociate", 3, ALWAYS, "none", true, "write"),
	monitorCommand: row("virDomainQemuMonitorCommand", 1, ACTIVE, "query", true, "write"),
	agentCommand: row("virDomainQemuAgentCommand", 0, ACTIVE, "none", true, "write"),

	createSnapshot: row("virDomainSnapshotCreateXML", 0x3ff, ALWAYS, { async: "snapshot" }, true, "snapshot"),
	findSnapshot: fact("virDomainSnapshotLookupByName"),
	snapshots: fact("virDomainListAllSnapshots", 0x7ff),
	snapshotXml: fact("virDomainSnapshotGetXMLDesc", 1),
	currentSnapshot: fact("virDomainSnapshotCurrent"),
	snapshotParent: fact("virDomainSnapshotGetParent"),
	snapshotIsCurrent: fact("virDomainSnapshotIsCurrent"),
	snapshotHasMetadata: fact("virDomainSnapshotHasMetadata"),
	// VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING 1, _PAUSED 2, _FORCE 4, _RESET_NVRAM 8.
	revertToSnapshot: row("virDomainRevertToSnapshot", 0xf, ALWAYS, { async: "start" }, true, "snapshot"),
	// VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN 1, _METADATA_ONLY 2, _CHILDREN_ONLY 4.
	deleteSnapshot: row("virDomainSnapshotDelete", 7, ALWAYS, { async: "snapshot" }, true, "snapshot"),

	// VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE 1, _REDEFINE_VALIDATE 4.
	createCheckpoint: row("virDomainCheckpointCreateXML", 5, ALWAYS, "modify", true, "checkpoint"),
	findCheckpoint: fact("virDomainCheckpointLookupByName"),
	checkpoints: fact("virDomainListAllCheckpoints", 0xf),
	// VIR_DOMAIN_CHECKPOINT_XML_SECURE 1, _NO_DOMAIN 2, _SIZE 4; the last takes a job.
	checkpointXml: fact("virDomainCheckpointGetXMLDesc", 7),
	checkpointParent: fact("virDomainCheckpointGetParent"),
	// VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN 1, _METADATA_ONLY 2, _CHILDREN_ONLY 4.
	deleteCheckpoint: row("virDomainCheckpointDelete", 7, ALWAYS, "modify", true, "checkpoint"),
	// A backup holds its job until it is over. VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL 1.
	beginBackup: row("virDomainBackupBegin", 1, ALWAYS, "none", true, "checkpoint"),
	backupXml: fact("virDomainBackupGetXMLDesc"),

	setAgentTimeout: row("virDomainAgentSetResponseTimeout", 0, ALWAYS, "none", true, "write"),
	fsFreeze: row("virDomainFSFreeze", 0, ACTIVE, "none", true, "fs_freeze"),
	// The driver checks the state, together with its agent: where that is refused, libvirt's error is the driver's own.
	fsThaw: row("virDomainFSThaw", 0, ALWAYS, "none", true, "fs_freeze"),
	fsTrim: row("virDomainFSTrim", 0, ALWAYS, "none", true, "fs_trim"),
	setUserPassword: row("virDomainSetUserPassword", 1, ACTIVE, "none", true, "set_password"),
	setSshKeys: row("virDomainAuthorizedSSHKeysSet", 3, ALWAYS, "none", true, "write"),

	info: fact("virDomainGetInfo"),
	state: fact("virDomainGetState"),
	isPersistent: fact("virDomainIsPersistent"),
	isUpdated: fact("virDomainIsUpdated"),
	controlInfo: row("virDomainGetControlInfo", 0, ACTIVE, "none", false, "read"),
	osType: fact("virDomainGetOSType"),
	maxMemory: fact("virDomainGetMaxMemory"),
	maxVcpus: row("virDomainGetMaxVcpus", 0, ACTIVE, "none", false, "read"),
	// VIR_DOMAIN_VCPU_MAXIMUM 4, _GUEST 8.
	vcpuCount: row("virDomainGetVcpusFlags", AFFECT | 12, ALWAYS, "none", false, "read"),
	vcpus: row(
		"virDomainGetVcpus",
		0,
		{
			...ACTIVE,
			shutoff: "cannot retrieve vcpu information for inactive domain",
		},
		"none",
		false,
		"read",
	),
	vcpuPins: fact("virDomainGetVcpuPinInfo", AFFECT),
	emulatorPin: fact("virDomainGetEmulatorPinInfo", AFFECT),
	schedulerType: fact("virDomainGetSchedulerType"),
	schedulerParameters: fact("virDomainGetSchedulerParametersFlags", AFFECT_PARAMS),
	perfEvents: row("virDomainGetPerfEvents", AFFECT_PARAMS, ALWAYS, "query", false, "read"),
	memoryParameters: fact("virDomainGetMemoryParameters", AFFECT_PARAMS),
	blkioParameters: fact("virDomainGetBlkioParameters", AFFECT_PARAMS),
	numaParameters: fact("virDomainGetNumaParameters", AFFECT_PARAMS),
	iothreads: query("virDomainGetIOThreadInfo", AFFECT, ALWAYS),
	memoryStats: query("virDomainMemoryStats"),
	blockInfo: query("virDomainGetBlockInfo", 0, ALWAYS),
	blockStats: query("virDomainBlockStats"),
	blockStatsParameters: query("virDomainBlockStatsFlags", 4),
	blockIoTune: query("virDomainGetBlockIoTune", AFFECT_PARAMS, ALWAYS),
	interfaceParameters: fact("virDomainGetInterfaceParameters", AFFECT_PARAMS),
	interfaceStats: row("virDomainInterfaceStats", 0, ACTIVE, "none", false, "read"),
	cpuStats: row("virDomainGetCPUStats", 4, ACTIVE, "none", false, "read"),
	diskErrors: query("virDomainGetDiskErrors", 4),
	jobStats: fact("virDomainGetJobStats", 3),
	abortJob: row("virDomainAbortJob", 1, ACTIVE, "abort", true, "write"),
	hostname: row("virDomainGetHostname", 3, ACTIVE, "none", false, "read"),
	time: row("virDomainGetTime", 0, ACTIVE, "none", true, "write"),
	setTime: row("virDomainSetTime", 1, ACTIVE, "none", true, "write"),
	securityLabels: fact("virDomainGetSecurityLabelList"),
	messages: fact("virDomainGetMessages", 3),
	// VIR_MEMORY_VIRTUAL 1, VIR_MEMORY_PHYSICAL 2.
	memoryPeek: row("virDomainMemoryPeek", 3, ACTIVE, "query", true, "mem_read"),
	blockPeek: row("virDomainBlockPeek", 0, ALWAYS, "none", true, "block_read"),
	// VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING 0, _DIRTY_BITMAP 1, _DIRTY_RING 2.
	startDirtyRateCalculation: row("virDomainStartDirtyRateCalc", 3, ACTIVE, "modify", true, "write"),
	filesystems: row("virDomainGetFSInfo", 0, ACTIVE, "none", true, "fs_freeze"),
	guestInfo: row("virDomainGetGuestInfo", 0, ALWAYS, "none", true, "write"),
	interfaceAddresses: row("virDomainInterfaceAddresses", 0, ACTIVE, "none", false, "read"),
	sshKeys: row("virDomainAuthorizedSSHKeysGet", 0, ALWAYS, "none", true, "write"),
	guestVcpus: row("virDomainGetGuestVcpus", 0, ACTIVE, "none", true, "write"),
	stats: row("virConnectGetAllDomainStats", 0xe0000000, ALWAYS, "none", false, "read"),
};

function notWhileActive(why: string): Legality {
	return {
		...ALWAYS,
		running: why,
		blocked: why,
		paused: why,
		shutdown: why,
		crashed: why,
		pmsuspended: why,
	};
}
