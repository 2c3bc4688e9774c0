// The balancer's decisions: which guests' balloons to move, from the figures of the host and of the guests. Computes only.

import { formatKib } from "./admission.ts";

/** How the balancer behaves. Sizes are KiB, shares parts of one. */
export interface BalancePolicy {
	/** Below this share of the host's memory available, guests give some. */
	readonly low: number;
	/** Above this share, guests get back what they gave. Between the two nothing moves but for a guest in need. */
	readonly high: number;
	/** Percent of the last ten seconds in which something waited for memory (PSI `some avg10`): from here on guests give too. */
	readonly pressure: number;
	/** The most that a balloon moves at once, as a share of what the guest has. */
	readonly step: number;
	/** Rounds that a guest is left alone after it gave, before it gets again, and the other way round. */
	readonly rest: number;
	/** Rounds after which a balloon that has not followed is no longer asked. */
	readonly patience: number;
}

export const DEFAULT_BALANCE: BalancePolicy = { low: 0.1, high: 0.2, pressure: 10, step: 0.1, rest: 3, patience: 6 };

export interface HostState {
	readonly totalKib: number;
	/** What could be given out without swapping (MemAvailable). */
	readonly availableKib: number;
	/** PSI `some avg10` of memory, percent; undefined where the kernel does not tell. */
	readonly pressure?: number | undefined;
}

export interface GuestState {
	readonly id: string;
	readonly name: string;
	/** What it has now. */
	readonly actualKib: number;
	/** What it is to have when nobody is short: never more is given. */
	readonly wantedKib: number;
	/** What it always keeps. */
	readonly floorKib: number;
	/** Memory that its programs could still take without swapping; undefined where it does not tell. */
	readonly usableKib?: number | undefined;
	/** KiB it has swapped out so far. */
	readonly swappedOutKib?: number | undefined;
}

/** One move of one balloon. */
export interface Decision {
	readonly id: string;
	readonly name: string;
	readonly fromKib: number;
	readonly toKib: number;
	readonly reason: string;
}

/** What is remembered of a guest from round to round. */
export interface GuestMemory {
	/** Where its balloon was sent last. */
	readonly targetKib: number;
	readonly direction: "gave" | "got";
	/** Rounds since. */
	readonly age: number;
	/** Rounds that the balloon has not moved towards the target. */
	readonly stalled: number;
	readonly actualKib: number;
	readonly swappedOutKib: number;
}

export type BalanceMemory = ReadonlyMap<string, GuestMemory>;

export interface BalanceRound {
	readonly decisions: readonly Decision[];
	readonly memory: BalanceMemory;
}

/** Moves smaller than this are not worth a guest's while. */
const LEAST_KIB = 16 * 1024;
/** Balloons move by pages; a MiB is fine enough. */
const GRAIN_KIB = 1024;
/** A guest keeps this share of its memory usable when it gives, and is in need below half of it. */
const SLACK = 0.2;
/** The share that a guest may give at once that does not tell how it is. */
const BLIND_STEP = 0.05;

interface Seen extends GuestState {
	readonly past: GuestMemory | undefined;
	readonly needy: boolean;
}

/** One round: what to move now, and what to remember until the next. */
export function balance(
	host: HostState,
	guests: readonly GuestState[],
	memory: BalanceMemory,
	policy: BalancePolicy = DEFAULT_BALANCE,
): BalanceRound {
	const seen = guests.map((guest) => see(guest, memory.get(guest.id)));
	const decisions = decide(host, seen, policy);
	return { decisions, memory: remember(seen, decisions, policy) };
}

function see(guest: GuestState, past: GuestMemory | undefined): Seen {
	const { usableKib, swappedOutKib = 0 } = guest;
	const short = usableKib !== undefined && usableKib < (guest.actualKib * SLACK) / 2;
	const swaps = past !== undefined && swappedOutKib > past.swappedOutKib;
	return { ...guest, past, needy: guest.actualKib < guest.wantedKib && (short || swaps) };
}

function decide(host: HostState, guests: readonly Seen[], policy: BalancePolicy): Decision[] {
	const share = host.availableKib / host.totalKib;
	const pressed = (host.pressure ?? 0) >= policy.pressure && share < policy.high;
	if (share < policy.low || pressed) {
		const why =
			share < policy.low
				? `the host has ${percent(share)} of its memory available, less than ${percent(policy.low)}`
				: `something waited for memory ${host.pressure} % of the time`;
		// Up to the middle between the marks, so that one guest's getting is not the next one's having to give.
		const middle = ((policy.low + policy.high) / 2) * host.totalKib;
		return take(Math.max(middle - host.availableKib, host.totalKib * 0.01), guests, policy, why);
	}
	const needy = guests.filter((guest) => guest.needy);
	const served = give(
		(host.availableKib - policy.low * host.totalKib) / 2,
		needy,
		policy,
		"the guest is short of memory",
	);
	const open = sum(served) < lackOf(needy, policy) ? 0 : host.availableKib - policy.high * host.totalKib - sum(served);
	const others = guests.filter((guest) => !guest.needy && guest.actualKib < guest.wantedKib);
	return [
		...served,
		...takeForOthers(lackOf(needy, policy) - sum(served), guests, policy),
		...give(open, others, policy, `the host has ${percent(share)} of its memory available`),
	];
}

const sum = (decisions: readonly Decision[]): number =>
	decisions.reduce((total, { fromKib, toKib }) => total + toKib - fromKib, 0);

/** What the guests in need could be given in this round. */
const lackOf = (needy: readonly Seen[], { step }: BalancePolicy): number =>
	needy.reduce((total, { wantedKib, actualKib }) => total + Math.min(wantedKib - actualKib, actualKib * step), 0);

/** What the host cannot spare for guests in need, others give, so that it is there in the next round. */
function takeForOthers(lack: number, guests: readonly Seen[], policy: BalancePolicy): Decision[] {
	return lack < LEAST_KIB ? [] : take(lack, guests, policy, "another guest is short of memory");
}

/** Takes `need` from the guests, by what each can spare. */
function take(need: number, guests: readonly Seen[], policy: BalancePolicy, why: string): Decision[] {
	const givers = guests
		.filter((guest) => canMove(guest, "gave", policy) && !guest.needy)
		.map((guest) => ({ guest, spare: spareOf(guest, policy) }))
		.filter(({ spare }) => spare >= LEAST_KIB);
	return shareOut(need, givers).map(({ guest, amount }) =>
		move(guest, -amount, `${why}: it gives ${formatKib(amount)}`),
	);
}

/** Gives up to `open` to the guests, by what each lacks. */
function give(open: number, guests: readonly Seen[], policy: BalancePolicy, why: string): Decision[] {
	if (open < LEAST_KIB) return [];
	const takers = guests
		.filter((guest) => guest.needy || canMove(guest, "got", policy))
		.map((guest) => ({
			guest,
			spare: floorTo(Math.min(guest.wantedKib - guest.actualKib, Math.max(guest.actualKib * policy.step, LEAST_KIB))),
		}))
		.filter(({ guest, spare }) => spare >= Math.min(LEAST_KIB, guest.wantedKib - guest.actualKib) && spare > 0);
	return shareOut(open, takers).map(({ guest, amount }) => move(guest, amount, `${why}: it gets ${formatKib(amount)}`));
}

/** What the guest could give in this round. */
function spareOf(guest: Seen, { step }: BalancePolicy): number {
	const above = guest.actualKib - guest.floorKib;
	if (guest.usableKib === undefined) return floorTo(Math.min(above, guest.actualKib * Math.min(step, BLIND_STEP)));
	const idle = guest.usableKib - guest.actualKib * SLACK;
	return floorTo(Math.max(0, Math.min(above, idle, guest.actualKib * step)));
}

interface Portion {
	readonly guest: Seen;
	readonly spare: number;
}

/** Divides `amount` in proportion; where there is less in all, everybody's whole portion. Shares too small fall to the next. */
function shareOut(amount: number, portions: readonly Portion[]): { guest: Seen; amount: number }[] {
	let left = amount;
	let rest = portions.reduce((sum, { spare }) => sum + spare, 0);
	const shares: { guest: Seen; amount: number }[] = [];
	for (const { guest, spare } of [...portions].sort((a, b) => b.spare - a.spare)) {
		const fair = Math.min(spare, Math.max(floorTo((left * spare) / rest), Math.min(LEAST_KIB, spare)));
		rest -= spare;
		if (left < Math.min(LEAST_KIB, spare)) break;
		left -= fair;
		shares.push({ guest, amount: fair });
	}
	return shares;
}

/** Not right after a move the other way, and not where the balloon does not follow. */
function canMove({ past }: Seen, direction: GuestMemory["direction"], { rest, patience }: BalancePolicy): boolean {
	if (past === undefined) return true;
	if (direction === "gave" && past.stalled >= patience) return false;
	return past.direction === direction || past.age >= rest;
}

const move = ({ id, name, actualKib }: Seen, by: number, reason: string): Decision => ({
	id,
	name,
	fromKib: actualKib,
	toKib: actualKib + by,
	reason,
});

function remember(guests: readonly Seen[], decisions: readonly Decision[], policy: BalancePolicy): BalanceMemory {
	const made = new Map(decisions.map((decision) => [decision.id, decision]));
	const memory = new Map<string, GuestMemory>();
	for (const guest of guests) {
		const { past, actualKib, swappedOutKib = 0 } = guest;
		const decision = made.get(guest.id);
		const common = { actualKib, swappedOutKib };
		if (decision) {
			const direction = decision.toKib < decision.fromKib ? ("gave" as const) : ("got" as const);
			memory.set(guest.id, { ...common, targetKib: decision.toKib, direction, age: 0, stalled: stalledOf(guest) });
		} else if (past) {
			// One that did not follow is tried again after as long as it took to give it up.
			const stalled = past.age >= 2 * policy.patience ? 0 : stalledOf(guest);
			memory.set(guest.id, { ...past, ...common, age: past.age + 1, stalled });
		}
	}
	return memory;
}

function stalledOf({ past, actualKib }: Seen): number {
	if (past === undefined || past.direction === "got") return 0;
	const missing = actualKib - past.targetKib;
	return missing > LEAST_KIB / 2 && actualKib >= past.actualKib ? past.stalled + 1 : 0;
}

const floorTo = (kib: number): number => Math.floor(kib / GRAIN_KIB) * GRAIN_KIB;
const percent = (share: number): string => `${Math.round(share * 1000) / 10} %`;
