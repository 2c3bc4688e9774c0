// The program by which the kernel asks whether members of a v2 group may use a device: there are no files for that (bpf(2)).

import { closeSync, constants, openSync } from "node:fs";
import { type CallResult, callLibc } from "../libc.ts";
import { closeDescriptor } from "../native.ts";
import { systemError } from "../system-error.ts";
import type { DeviceRule } from "./device-list.ts";

/** Number of bpf(2), which architectures do not share. */
const SYS_BPF = ({ x64: 321, arm64: 280, riscv64: 280, ppc64: 361, s390x: 351 } as Partial<Record<string, number>>)[
	process.arch
];

// Commands and types of linux/bpf.h.
const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_QUERY = 16;
const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
const BPF_CGROUP_DEVICE = 6;
const ENOSPC = 28;
const EAGAIN = 11;
const LOAD_ATTEMPTS = 10;
/** Bytes of the attributes that BPF_PROG_LOAD is given here. */
const LOAD_BYTES = 24;

/** Members of struct bpf_cgroup_dev_ctx: offsets, and how access_type is put together. */
const CONTEXT = { access: 0, major: 4, minor: 8 } as const;
const DEVICE_TYPES = { b: 1, c: 2 } as const;
const ACCESS = { m: 1, r: 2, w: 4 } as const;

/** Operations of the instruction set (linux/bpf_common.h, linux/bpf.h), 64-bit with an immediate unless told. */
const OPCODE = {
	load32: 0x61,
	move: 0xb7,
	copy: 0xbf,
	and: 0x57,
	shiftRight: 0x77,
	jumpIfNot: 0x55,
	exit: 0x95,
} as const;
const INSTRUCTION_BYTES = 8;

interface Instruction {
	readonly code: keyof typeof OPCODE;
	readonly to?: number;
	readonly from?: number;
	readonly offset?: number;
	readonly value?: number;
}

// Registers: the result and the context as the kernel has it, the others as chosen here.
const RESULT = 0;
const CONTEXT_POINTER = 1;
const WANTED = 2;
const TYPE = 3;
const MAJOR = 4;
const MINOR = 5;

const EXIT: Instruction = { code: "exit" };
const answer = (value: number): Instruction[] => [{ code: "move", to: RESULT, value }, EXIT];

const PROLOGUE: readonly Instruction[] = [
	{ code: "load32", to: WANTED, from: CONTEXT_POINTER, offset: CONTEXT.access },
	{ code: "copy", to: TYPE, from: WANTED },
	{ code: "and", to: TYPE, value: 0xffff },
	{ code: "shiftRight", to: WANTED, value: 16 },
	{ code: "load32", to: MAJOR, from: CONTEXT_POINTER, offset: CONTEXT.major },
	{ code: "load32", to: MINOR, from: CONTEXT_POINTER, offset: CONTEXT.minor },
];

/** Answers 1 where the rule allows all that is wanted; goes on behind itself where not. */
function ruleProgram({ type, major, minor, access }: DeviceRule): Instruction[] {
	const allowed = [...access].reduce((bits, letter) => bits | (ACCESS[letter as keyof typeof ACCESS] ?? 0), 0);
	const parts: Instruction[] = [
		{ code: "jumpIfNot", to: TYPE, value: DEVICE_TYPES[type] },
		{ code: "jumpIfNot", to: MAJOR, value: major },
		...(minor === undefined ? [] : [{ code: "jumpIfNot", to: MINOR, value: minor } as const]),
		{ code: "copy", to: RESULT, from: WANTED },
		{ code: "and", to: RESULT, value: ~allowed },
		{ code: "jumpIfNot", to: RESULT, value: 0 },
		...answer(1),
	];
	return parts.map((part, index) => (part.code === "jumpIfNot" ? { ...part, offset: parts.length - index - 1 } : part));
}

/** The program of a list of rules, as the kernel takes it: what no rule allows is refused. */
export function encodeDeviceProgram(rules: readonly DeviceRule[]): Uint8Array {
	const program = [...PROLOGUE, ...rules.flatMap(ruleProgram), ...answer(0)];
	const bytes = new Uint8Array(program.length * INSTRUCTION_BYTES);
	const view = new DataView(bytes.buffer);
	// The kernel reads them in its own byte order.
	const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
	for (const [index, { code, to = 0, from = 0, offset = 0, value = 0 }] of program.entries()) {
		const at = index * INSTRUCTION_BYTES;
		bytes[at] = OPCODE[code];
		bytes[at + 1] = littleEndian ? to | (from << 4) : (to << 4) | from;
		view.setInt16(at + 2, offset, littleEndian);
		view.setInt32(at + 4, value, littleEndian);
	}
	return bytes;
}

function withGroup<T>(folder: string, use: (fd: number) => T): T {
	const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
	try {
		return use(fd);
	} finally {
		closeSync(fd);
	}
}

function bpf(command: number, attributes: Uint32Array): CallResult {
	return SYS_BPF === undefined ? { errno: 38 } : callLibc("bpf", SYS_BPF, command, attributes, attributes.byteLength);
}

/** Why groups like that of `folder` can have no device list; undefined where they can. */
export function whyNoDevicePrograms(folder: string): string | undefined {
	try {
		const asked = withGroup(folder, (fd) =>
			bpf(BPF_PROG_QUERY, Uint32Array.of(fd, BPF_CGROUP_DEVICE, 0, 0, 0, 0, 0, 0)),
		);
		// There are programs, and there was no room to tell which.
		if (!("errno" in asked) || asked.errno === ENOSPC) return undefined;
		return systemError("cgroup v2 has no device lists without BPF", asked.errno).detail;
	} catch (error) {
		return systemError(`cannot open '${folder}'`, error).detail;
	}
}

/** Has the kernel hold the group to the rules, instead of those before, at once. Throws SYSTEM_ERROR. */
export function attachDeviceProgram(folder: string, rules: readonly DeviceRule[]): void {
	const instructions = encodeDeviceProgram(rules);
	const program = {
		type: BPF_PROG_TYPE_CGROUP_DEVICE,
		count: instructions.length / INSTRUCTION_BYTES,
		instructions,
		license: new TextEncoder().encode("Apache-2.0\0"),
	};
	let loaded: CallResult;
	// The kernel gives up checking the program where a signal waits, which is taken before the next attempt.
	let attempts = LOAD_ATTEMPTS;
	do loaded = callLibc("bpf_load", SYS_BPF ?? 0, BPF_PROG_LOAD, program, LOAD_BYTES);
	while ("errno" in loaded && loaded.errno === EAGAIN && --attempts > 0);
	if ("errno" in loaded) throw systemError("failed to load cgroup BPF prog", loaded.errno);
	try {
		const attached = withGroup(folder, (fd) =>
			bpf(BPF_PROG_ATTACH, Uint32Array.of(fd, loaded.value, BPF_CGROUP_DEVICE, 0)),
		);
		if ("errno" in attached) throw systemError("failed to attach cgroup BPF prog", attached.errno);
	} finally {
		// The group keeps it.
		closeDescriptor(loaded.value);
	}
}
