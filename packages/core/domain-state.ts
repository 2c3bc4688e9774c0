// A domain's states and the reasons for them, with libvirt's numbers (virDomainState and the vir…Reason enumerations).

export const DOMAIN_STATE = {
	nostate: 0,
	running: 1,
	blocked: 2,
	paused: 3,
	shutdown: 4,
	shutoff: 5,
	crashed: 6,
	pmsuspended: 7,
} as const;

export type DomainStateName = keyof typeof DOMAIN_STATE;

/** Reasons by state. */
export const STATE_REASON = {
	nostate: { unknown: 0 },
	running: {
		unknown: 0,
		booted: 1,
		migrated: 2,
		restored: 3,
		"from-snapshot": 4,
		unpaused: 5,
		"migration-canceled": 6,
		"save-canceled": 7,
		wakeup: 8,
		crashed: 9,
		postcopy: 10,
		"postcopy-failed": 11,
	},
	blocked: { unknown: 0 },
	paused: {
		unknown: 0,
		user: 1,
		migration: 2,
		save: 3,
		dump: 4,
		ioerror: 5,
		watchdog: 6,
		"from-snapshot": 7,
		"shutting-down": 8,
		snapshot: 9,
		crashed: 10,
		"starting-up": 11,
		postcopy: 12,
		"postcopy-failed": 13,
		"api-error": 14,
	},
	shutdown: { unknown: 0, user: 1 },
	shutoff: {
		unknown: 0,
		shutdown: 1,
		destroyed: 2,
		crashed: 3,
		migrated: 4,
		saved: 5,
		failed: 6,
		"from-snapshot": 7,
		daemon: 8,
	},
	crashed: { unknown: 0, panicked: 1 },
	pmsuspended: { unknown: 0 },
} as const satisfies {
	readonly [S in DomainStateName]: Readonly<Record<string, number>>;
};

/** A state with its reason; only reasons of that state type-check. */
export type DomainState = {
	[S in DomainStateName]: {
		readonly state: S;
		readonly reason: keyof (typeof STATE_REASON)[S];
	};
}[DomainStateName];

/** The state's and reason's numbers on the wire. */
export function stateNumbers(at: DomainState): {
	state: number;
	reason: number;
} {
	const reasons: Readonly<Record<string, number>> = STATE_REASON[at.state];
	return { state: DOMAIN_STATE[at.state], reason: reasons[at.reason] ?? 0 };
}
