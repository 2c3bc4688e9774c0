// The few libc functions that Node has no call for, bound on first use so that a program that needs none loads nothing.

import { createRequire } from "node:module";
import type koffiModule from "koffi";

type Koffi = typeof koffiModule;

/** Prototypes in koffi's notation; `void *` arguments take typed arrays. */
const PROTOTYPES = {
	bpf: "long syscall(long number, int command, void *attributes, uint32_t size)",
	bpf_load: "long syscall(long number, int command, const virtkit_bpf_program *attributes, uint32_t size)",
	bind: "int bind(int fd, const void *address, uint32_t length)",
	close: "int close(int fd)",
	fcntl: "int fcntl(int fd, int command, long argument)",
	flock: "int flock(int fd, int operation)",
	getsockopt: "int getsockopt(int fd, int level, int name, void *value, void *length)",
	ioctl: "int ioctl(int fd, unsigned long request, void *argument)",
	listen: "int listen(int fd, int backlog)",
	open: "int open(const char *path, int flags, uint32_t mode)",
	perf_event_open:
		"long syscall(long number, const void *attributes, int pid, int cpu, int group, unsigned long flags)",
	prlimit: "int prlimit64(int pid, int resource, const void *newLimit, void *oldLimit)",
	recvmsg: "long recvmsg(int fd, _Inout_ virtkit_msghdr *message, int flags)",
	sched_getaffinity: "int sched_getaffinity(int tid, size_t size, void *mask)",
	sched_getscheduler: "int sched_getscheduler(int tid)",
	sched_setaffinity: "int sched_setaffinity(int tid, size_t size, const void *mask)",
	sched_setscheduler: "int sched_setscheduler(int tid, int policy, const void *parameter)",
	sendmsg: "long sendmsg(int fd, const virtkit_msghdr *message, int flags)",
	socket: "int socket(int domain, int type, int protocol)",
	socketpair: "int socketpair(int domain, int type, int protocol, void *pair)",
	strerror: "const char *strerror(int errno)",
	syscall: "long syscall(long number, long a, long b, long c, long d)",
} as const;

type FunctionName = keyof typeof PROTOTYPES;
type Argument = number | bigint | string | NodeJS.TypedArray | MessageHeader | BpfProgram | null;
type Bound = (...args: readonly Argument[]) => number | string;

/** struct msghdr of sendmsg(2) and recvmsg(2), with its one struct iovec. */
export interface MessageHeader {
	readonly name: null;
	readonly nameLength: number;
	readonly vector: readonly [{ readonly base: Uint8Array; readonly length: number }];
	readonly vectorLength: number;
	readonly control: Uint8Array | null;
	/** recvmsg writes here how much of `control` the kernel filled. */
	controlLength: number;
	/** recvmsg writes here whether something was cut off. */
	flags: number;
}

/** What BPF_PROG_LOAD of bpf(2) begins with. */
export interface BpfProgram {
	readonly type: number;
	readonly count: number;
	readonly instructions: Uint8Array;
	/** Closed by a zero. */
	readonly license: Uint8Array;
}

let koffi: Koffi | undefined;
let library: ReturnType<Koffi["load"]> | undefined;
const bound = new Map<FunctionName, Bound>();

function loadKoffi(): Koffi {
	if (koffi !== undefined) return koffi;
	const loaded = createRequire(import.meta.url)("koffi") as Koffi;
	const vector = loaded.struct("virtkit_iovec", {
		base: "void *",
		length: "size_t",
	});
	loaded.struct("virtkit_msghdr", {
		name: "void *",
		nameLength: "uint32_t",
		vector: loaded.pointer(vector),
		vectorLength: "size_t",
		control: "void *",
		controlLength: "size_t",
		flags: "int",
	});
	loaded.struct("virtkit_bpf_program", {
		type: "uint32_t",
		count: "uint32_t",
		instructions: "void *",
		license: "void *",
	});
	// null is the process itself: libc is already in it, whichever libc that is.
	library = loaded.load(null);
	koffi = loaded;
	return loaded;
}

function bind(name: FunctionName): Bound {
	const known = bound.get(name);
	if (known !== undefined) return known;
	loadKoffi();
	const made = library?.func(PROTOTYPES[name]) as Bound;
	bound.set(name, made);
	return made;
}

/** What a libc call came to: its result, or the errno when the result was -1. */
export type CallResult = { readonly value: number } | { readonly errno: number };

/** Calls a libc function that reports failure as -1 and errno. */
export function callLibc(name: Exclude<FunctionName, "strerror">, ...args: readonly Argument[]): CallResult {
	const value = Number(bind(name)(...args));
	return value === -1 ? { errno: loadKoffi().errno() } : { value };
}

/** strerror(3), undefined where libc cannot be bound. */
export function errnoWording(errno: number): string | undefined {
	try {
		return String(bind("strerror")(errno));
	} catch {
		return undefined;
	}
}
