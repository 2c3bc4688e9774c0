// Finds out whether KVM runs guest code here, by running a little of it: /dev/kvm may open and yet start no guest.

import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readProcessStat } from "@virtkit/host/process";
import { KVM_PAYLOAD_HEX } from "./kvm-payload.gen.ts";
import { type ChildIdentity, QuietChild } from "./quiet-child.ts";

/** What a trial of KVM came to. */
export interface KvmTrial {
	/** Why KVM runs no guests; absent where it does. */
	readonly refusal?: string;
	/** False where the trial was cut short by a busy host and another one may end differently. */
	readonly certain: boolean;
}

/**
 * CPU time that the guest's code may take from its first step on. A processor needs some 20 ms for it, one that is itself
 * emulated some 300 ms, and a KVM that interprets its guests half a minute.
 */
const MAX_CPU_NS = 3_000_000_000;
/** Time from start to end, whatever the CPU time: for a KVM that sleeps for ever. */
const MAX_WALL_MS = 60_000;
const POLL_MS = 10;
const DONE = "K";
const FAULT = "F";

/** The payload's steps, by the letters it writes, with the step that comes after and so failed. */
const NEXT_STEP: Readonly<Record<string, string>> = {
	"": "got stuck before its first instruction",
	R: "got stuck on the way to protected mode",
	P: "got stuck on the way to 64-bit mode",
	L: "got stuck in plain code that works on memory",
	M: "got stuck switching page tables",
	T: "got stuck taking an exception",
	X: "got stuck entering ring 3",
	U: "got stuck in a system call",
	F: "got stuck with an exception that no processor raises there",
};

const FIRMWARE_BYTES = 0x10000;
const CODE_OFFSET = 0xf000;
const RESET_OFFSET = 0xfff0;

/** A firmware image that runs the payload at reset. */
export function payloadFirmware(): Buffer {
	const image = Buffer.alloc(FIRMWARE_BYTES);
	Buffer.from(KVM_PAYLOAD_HEX, "hex").copy(image, CODE_OFFSET);
	const jump = RESET_OFFSET + 3;
	image.writeUInt8(0xe9, RESET_OFFSET);
	image.writeInt16LE(CODE_OFFSET - jump, RESET_OFFSET + 1);
	return image;
}

/** Runs the payload under `accelerator` on `machine`, and says how far it came. */
export async function tryAccelerator(
	binary: string,
	machine: string,
	identity: ChildIdentity = {},
	accelerator = "kvm",
): Promise<KvmTrial> {
	const firmware = openPayload();
	try {
		const bare = ["-no-reboot", "-no-user-config", "-nodefaults", "-display", "none", "-serial", "stdio", "-m", "64"];
		const argv = ["-accel", accelerator, "-machine", machine, "-bios", "/proc/self/fd/3", ...bare];
		await using child = new QuietChild(binary, argv, firmware, identity);
		return await new TestGuest(child).judge();
	} finally {
		closeSync(firmware);
	}
}

/** A descriptor of the payload's firmware image. The file is gone already, so that nothing is left behind. */
function openPayload(): number {
	const directory = mkdtempSync(join(tmpdir(), "virtkit-kvm-"));
	try {
		const path = join(directory, "firmware");
		writeFileSync(path, payloadFirmware(), { mode: 0o644 });
		return openSync(path, "r");
	} finally {
		rmSync(directory, { recursive: true });
	}
}

/** A QEMU that runs the payload, watched until it is done or cannot be. */
class TestGuest {
	readonly #child: QuietChild;
	readonly #start = performance.now();
	#cpuAtFirstStep: number | undefined;

	constructor(child: QuietChild) {
		this.#child = child;
	}

	async judge(): Promise<KvmTrial> {
		for (;;) {
			await Promise.race([this.#child.ended, sleep(POLL_MS)]);
			const verdict = this.#verdict();
			if (verdict) return verdict;
		}
	}

	#verdict(): KvmTrial | undefined {
		const steps = this.#child.stdout;
		if (steps.includes(DONE)) return { certain: true };
		if (this.#child.end !== undefined) return { refusal: this.#describeEnd(this.#child.end), certain: true };
		const cpu = cpuTimeOf(this.#child.pid);
		if (steps !== "") this.#cpuAtFirstStep ??= cpu;
		const spent = cpu - (this.#cpuAtFirstStep ?? cpu);
		const certain = spent > MAX_CPU_NS || steps.includes(FAULT);
		if (!certain && performance.now() - this.#start < MAX_WALL_MS) return undefined;
		return { refusal: describe(steps, `for ${(spent / 1e9).toFixed(1)} s of CPU time`), certain };
	}

	/** QEMU ends by itself where it cannot start, or where the guest's processor gives up (a triple fault). */
	#describeEnd(end: string): string {
		const { stdout, stderr } = this.#child;
		if (stdout !== "") return describe(stdout, "and shut down");
		return `QEMU cannot run a test guest with KVM (${end}): ${stderr.trim() || "it printed nothing"}`;
	}
}

function describe(steps: string, how: string): string {
	const modules = vendorModules();
	const by = modules.length === 0 ? "" : ` (kernel module ${modules.join(", ")})`;
	const where = NEXT_STEP[steps.at(-1) ?? ""] ?? `got stuck after step '${steps.at(-1)}'`;
	return `KVM on this host${by} does not run guest code as a processor does: a test guest ${where} ${how}`;
}

/** The modules that give KVM its virtualization: kvm_intel and kvm_amd are the processors' own. */
export function vendorModules(): string[] {
	try {
		return readdirSync("/sys/module").filter((name) => name.startsWith("kvm_"));
	} catch {
		return [];
	}
}

function cpuTimeOf(pid: number | undefined): number {
	const stat = pid === undefined ? undefined : readProcessStat(pid);
	return stat === undefined ? 0 : stat.userNs + stat.systemNs;
}
