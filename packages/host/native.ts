// Typed wrappers of the system calls that Node lacks: descriptor passing, peer credentials, locks, tap devices, affinity, limits.

import { readdirSync } from "node:fs";
import type { Socket } from "node:net";
import { VirtError } from "@virtkit/base/errors";
import { type CallResult, callLibc, type MessageHeader } from "./libc.ts";
import { systemError } from "./system-error.ts";

// Linux's numbers, from asm-generic headers (x86-64, arm64, riscv64 and ppc64 share them).
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SCM_RIGHTS = 1;
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;
const MSG_CTRUNC = 0x8;
const MSG_CMSG_CLOEXEC = 0x4000_0000;
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const LOCK_EX = 2;
const LOCK_NB = 4;
const F_SETFD = 2;
const F_DUPFD_CLOEXEC = 1030;
const FD_CLOEXEC = 1;
const EAGAIN = 11;
const ESRCH = 3;
const EACCES = 13;
const ENOTCONN = 107;
const SYS_pidfd_send_signal = 424;
const SYS_pidfd_open = 434;
const CONTROL_HEADER = 16;

function checked(result: CallResult, doing: string): number {
	if ("errno" in result) throw systemError(doing, result.errno);
	return result.value;
}

/**
 * The descriptor under a Node socket, for the calls here.
 *
 * Node offers no public way to it; the handle's `fd` has been there in all versions we run on.
 */
export function socketDescriptor(socket: Socket): number {
	const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd;
	if (fd === undefined || fd < 0) throw new VirtError("INTERNAL_ERROR", "the socket is not connected");
	return fd;
}

function rightsMessage(fds: readonly number[]): Uint8Array {
	const length = CONTROL_HEADER + 4 * fds.length;
	const control = new Uint8Array(Math.ceil(length / 8) * 8);
	new BigUint64Array(control.buffer, 0, 1)[0] = BigInt(length);
	new Int32Array(control.buffer, 8, 2 + fds.length).set([SOL_SOCKET, SCM_RIGHTS, ...fds]);
	return control;
}

/**
 * Sends `data` with copies of the descriptors `fds` over the UNIX socket `socketFd` (SCM_RIGHTS, unix(7)).
 *
 * The descriptors travel with the first byte, so `data` must not be empty. Returns how many bytes of `data` were taken:
 * the caller writes the rest the usual way. Anything already queued in a Node socket must have been flushed before.
 */
export function sendFds(socketFd: number, data: Uint8Array, fds: readonly number[]): number {
	if (data.length === 0) throw new VirtError("INTERNAL_ERROR", "descriptors can only be sent along with data");
	const control = fds.length === 0 ? null : rightsMessage(fds);
	const header: MessageHeader = {
		name: null,
		nameLength: 0,
		vector: [{ base: data, length: data.length }],
		vectorLength: 1,
		control,
		controlLength: control?.length ?? 0,
		flags: 0,
	};
	const result = callLibc("sendmsg", socketFd, header, MSG_NOSIGNAL | MSG_DONTWAIT);
	return checked(result, `cannot send ${fds.length} descriptor(s) over a socket`);
}

/**
 * Takes one byte off the UNIX socket `socketFd` and the descriptor that came along with it; undefined where nothing is
 * there yet. The descriptor is the caller's to close.
 *
 * Throws where the byte carries none or several, and where the peer is gone; nothing stays open then.
 */
export function receiveFd(socketFd: number): number | undefined {
	const doing = "Failed to recv file descriptor";
	const control = new Uint8Array(CONTROL_HEADER + 8);
	const header: MessageHeader = {
		name: null,
		nameLength: 0,
		vector: [{ base: new Uint8Array(1), length: 1 }],
		vectorLength: 1,
		control,
		// Room for one: what is beyond, the kernel closes and says so.
		controlLength: CONTROL_HEADER + 4,
		flags: 0,
	};
	const result = callLibc("recvmsg", socketFd, header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if ("errno" in result && result.errno === EAGAIN) return undefined;
	if (checked(result, doing) === 0) throw systemError(doing, ENOTCONN);
	const [level, type, fd] = new Int32Array(control.buffer, 8, 3);
	if (header.controlLength === 0 || level !== SOL_SOCKET || type !== SCM_RIGHTS || fd === undefined)
		throw systemError(doing, EACCES);
	if (header.flags & MSG_CTRUNC) {
		closeDescriptor(fd);
		throw systemError(`${doing}: several came at once`, EACCES);
	}
	return fd;
}

/** Another descriptor of the same open file (dup(2)), which children do not inherit. */
export function duplicateDescriptor(fd: number): number {
	return checked(callLibc("fcntl", fd, F_DUPFD_CLOEXEC, 3), `Cannot duplicate FD ${fd}`);
}

/** Two connected UNIX sockets (socketpair(2)), as descriptors that children do not inherit. */
export function socketPairDescriptors(): [here: number, there: number] {
	const pair = new Int32Array(2);
	checked(callLibc("socketpair", AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "cannot create socket pair");
	const [here = -1, there = -1] = pair;
	return [here, there];
}

/** Who is at the other end of a connected UNIX socket, as it was when it connected. */
export interface PeerCredentials {
	readonly pid: number;
	readonly uid: number;
	readonly gid: number;
}

/** SO_PEERCRED of a connected UNIX socket. */
export function peerCredentials(socketFd: number): PeerCredentials {
	const value = new Int32Array(3);
	const length = Uint32Array.of(value.byteLength);
	const result = callLibc("getsockopt", socketFd, SOL_SOCKET, SO_PEERCRED, value, length);
	checked(result, "cannot read the credentials of a socket's peer");
	const [pid = 0, uid = 0, gid = 0] = value;
	return { pid, uid: uid >>> 0, gid: gid >>> 0 };
}

/** Takes an exclusive flock(2) without waiting; false when somebody else holds it. */
export function lockExclusively(fd: number): boolean {
	const result = callLibc("flock", fd, LOCK_EX | LOCK_NB);
	if ("errno" in result && result.errno === EAGAIN) return false;
	checked(result, "cannot lock a file");
	return true;
}

const AFFINITY_BYTES = 1024;

/** The host CPUs that thread `tid` may run on, ascending. */
export function getAffinity(tid: number): number[] {
	const mask = new Uint8Array(AFFINITY_BYTES);
	checked(callLibc("sched_getaffinity", tid, mask.length, mask), `cannot get CPU affinity of thread ${tid}`);
	const cpus: number[] = [];
	for (let cpu = 0; cpu < mask.length * 8; cpu++) {
		if (((mask[cpu >> 3] ?? 0) >> (cpu & 7)) & 1) cpus.push(cpu);
	}
	return cpus;
}

/** Lets thread `tid` run on `cpus` only. */
export function setAffinity(tid: number, cpus: Iterable<number>): void {
	const mask = new Uint8Array(AFFINITY_BYTES);
	for (const cpu of cpus) {
		if (!Number.isInteger(cpu) || cpu < 0 || cpu >= mask.length * 8) {
			throw new VirtError("INVALID_ARG", `host CPU ${cpu} is out of range`);
		}
		mask[cpu >> 3] = (mask[cpu >> 3] ?? 0) | (1 << (cpu & 7));
	}
	checked(callLibc("sched_setaffinity", tid, mask.length, mask), `cannot set CPU affinity of thread ${tid}`);
}

/** Resource numbers of prlimit(2) that guests need. */
const RESOURCES = { core: 4, nproc: 6, nofile: 7, memlock: 8 } as const;

export type Resource = keyof typeof RESOURCES;

/** A soft and a hard limit; `undefined` stands for no limit. Bytes, or counts. */
export interface ResourceLimit {
	readonly soft: bigint | undefined;
	readonly hard: bigint | undefined;
}

const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn;
const limitOf = (raw: bigint | undefined) => (raw === undefined || raw === RLIM_INFINITY ? undefined : raw);

/** The limit of process `pid` on `resource`. */
export function getResourceLimit(pid: number, resource: Resource): ResourceLimit {
	const limit = new BigUint64Array(2);
	const result = callLibc("prlimit", pid, RESOURCES[resource], null, limit);
	checked(result, `cannot get the ${resource} limit of process ${pid}`);
	return { soft: limitOf(limit[0]), hard: limitOf(limit[1]) };
}

/** Sets the limit of process `pid` on `resource`. */
export function setResourceLimit(pid: number, resource: Resource, limit: ResourceLimit): void {
	const raw = BigUint64Array.of(limit.soft ?? RLIM_INFINITY, limit.hard ?? RLIM_INFINITY);
	const result = callLibc("prlimit", pid, RESOURCES[resource], raw, null);
	checked(result, `cannot set the ${resource} limit of process ${pid}`);
}

/**
 * A descriptor that stands for the process itself rather than for its number (pidfd_open(2)), undefined when there is
 * no such process. Close it with `closeDescriptor`.
 */
export function openPidfd(pid: number): number | undefined {
	const result = callLibc("syscall", SYS_pidfd_open, pid, 0, 0, 0);
	if ("errno" in result && result.errno === ESRCH) return undefined;
	return checked(result, `cannot open process ${pid}`);
}

/** Sends signal number `signal` to the process behind a pidfd; false when it is gone. */
export function signalPidfd(pidfd: number, signal: number): boolean {
	const result = callLibc("syscall", SYS_pidfd_send_signal, pidfd, signal, 0, 0);
	if ("errno" in result && result.errno === ESRCH) return false;
	checked(result, `cannot send signal ${signal}`);
	return true;
}

/** Closes a descriptor that Node knows nothing of, such as those made by this module. */
export function closeDescriptor(fd: number): void {
	callLibc("close", fd);
}

/**
 * Keeps the descriptors that this process came with (standard ones excepted) from its children.
 *
 * Whatever started us may have left some open, such as a pipe it waits on; a guest must not hold them for years.
 */
export function disinheritDescriptors(): void {
	for (const fd of readdirSync("/proc/self/fd").map(Number)) {
		if (fd > 2) callLibc("fcntl", fd, F_SETFD, FD_CLOEXEC);
	}
}
