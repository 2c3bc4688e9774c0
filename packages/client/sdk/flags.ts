// libvirt's flags as named options: one table a call, from which the option type and the number both come.

/** Option names with their bits. */
export type FlagTable = Readonly<Record<string, number>>;

/** Options of a table: each may be true. */
export type FlagOptions<T extends FlagTable> = { readonly [K in keyof T]?: boolean | undefined };

/** The number that libvirt's call takes for `options`. */
export function flagsOf<T extends FlagTable>(table: T, options: FlagOptions<T> = {}): number {
	let flags = 0;
	for (const name in options) if (options[name]) flags |= table[name] ?? 0;
	return flags >>> 0;
}

/** Where a change takes effect; neither is the current state (virDomainModificationImpact). */
export const AFFECT = { live: 1, config: 2 } as const;
/** virDomainDeviceModifyFlags. */
export const UPDATE_DEVICE = { ...AFFECT, force: 4 } as const;

export const LIST = {
	active: 1 << 0,
	inactive: 1 << 1,
	persistent: 1 << 2,
	transient: 1 << 3,
	running: 1 << 4,
	paused: 1 << 5,
	shutoff: 1 << 6,
	other: 1 << 7,
	managedSave: 1 << 8,
	noManagedSave: 1 << 9,
	autostart: 1 << 10,
	noAutostart: 1 << 11,
	hasSnapshot: 1 << 12,
	noSnapshot: 1 << 13,
	hasCheckpoint: 1 << 14,
	noCheckpoint: 1 << 15,
} as const;

export const START = { paused: 1, autodestroy: 2, bypassCache: 4, forceBoot: 8, validate: 16, resetNvram: 32 } as const;
export const DEFINE = { validate: 1 } as const;
export const SHUTDOWN = { acpi: 1, agent: 2, initctl: 4, signal: 8, paravirt: 16 } as const;
export const DESTROY = { graceful: 1, removeLogs: 2 } as const;
export const UNDEFINE = {
	managedSave: 1,
	snapshotsMetadata: 2,
	nvram: 4,
	keepNvram: 8,
	checkpointsMetadata: 16,
	tpm: 32,
	keepTpm: 64,
} as const;
export const XML = { secure: 1, inactive: 2, updateCpu: 4, migratable: 8 } as const;
export const SAVE = { bypassCache: 1, running: 2, paused: 4, resetNvram: 8 } as const;
export const DUMP = { crash: 1, live: 2, bypassCache: 4, reset: 8, memoryOnly: 16 } as const;
export const CONSOLE = { force: 1, safe: 2 } as const;
export const MEMORY = { ...AFFECT, maximum: 4 } as const;
export const VCPUS = { ...AFFECT, maximum: 4, guest: 8, hotpluggable: 16 } as const;
export const MONITOR = { hmp: 1 } as const;
export const GRAPHICS = { skipAuthentication: 1 } as const;
export const ASSOCIATE = { restoreLabel: 1, writableLabel: 2 } as const;
export const JOB = { completed: 1, keepCompleted: 2 } as const;
export const STATS = {
	state: 1,
	cpuTotal: 2,
	balloon: 4,
	vcpu: 8,
	interface: 16,
	block: 32,
	perf: 64,
	iothread: 128,
	memory: 256,
	dirtyrate: 512,
	vm: 1024,
} as const;
export const MESSAGE = { deprecation: 1, tainting: 2 } as const;
