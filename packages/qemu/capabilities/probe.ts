// Asks an emulator binary everything that the driver wants to know of it, once.

import { hostArch, isNative } from "./arch.ts";
import { askAccelerator } from "./cpu-questions.ts";
import type { EmulatorFacts } from "./emulator.ts";
import { type KvmTrial, tryAccelerator } from "./kvm-run.ts";
import { checkBinary, type ProbeOptions, ProbeSession } from "./probe-session.ts";
import { type AnsweredQuestions, askEmulator } from "./questions.ts";

/** What probing found. */
export interface ProbeResult {
	readonly facts: EmulatorFacts;
	/** False where the trial of KVM may end differently another time: not to be kept. */
	readonly certain: boolean;
}

/** Machines for the trial of KVM, the first that the emulator has. */
const TRIAL_MACHINES: readonly string[] = ["q35", "pc"];

/**
 * Probes `binary`: everything with KVM where there is KVM, then what differs with TCG, and a trial of KVM.
 *
 * Throws SYSTEM_ERROR where it cannot be executed, INTERNAL_ERROR with what it printed where it is no QEMU.
 */
export async function probeEmulator(binary: string, options: ProbeOptions = {}): Promise<ProbeResult> {
	checkBinary(binary);
	await using session = new ProbeSession(binary, "kvm:tcg", options);
	try {
		const first = await askEmulator(session, () => new ProbeSession(binary, "kvm:tcg", options));
		const [facts, trial] = await Promise.all([
			withTcg(binary, first, options),
			tryKvm(binary, first, session.printed, options),
		]);
		return { facts: { ...facts, ...refusalOf(trial) }, certain: trial.certain };
	} catch (thrown) {
		throw await session.explain(thrown);
	}
}

function refusalOf({ refusal }: KvmTrial): Pick<EmulatorFacts, "kvmRefusal"> {
	return refusal === undefined ? {} : { kvmRefusal: refusal };
}

/** The facts with both accelerators': the first answers are KVM's where QEMU took it. */
async function withTcg(binary: string, first: AnsweredQuestions, options: ProbeOptions): Promise<EmulatorFacts> {
	const { facts, asked } = first;
	const { accelerator, cpuModels } = asked;
	if (!first.kvm) return { ...facts, cpuModels, tcg: accelerator };
	if (!("tcg-accel" in facts.types)) return { ...facts, cpuModels, kvm: accelerator };
	await using session = new ProbeSession(binary, "tcg", options);
	try {
		const tcg = await askAccelerator(session.client, facts.schema, "max");
		const missing = tcg.types.filter((type) => !(type in facts.types));
		const types = { ...facts.types, ...Object.fromEntries(missing.map((type) => [type, []])) };
		// With KVM every model has the host's vendor; only TCG tells the models' own.
		return { ...facts, types, cpuModels: tcg.cpuModels, tcg: tcg.accelerator, kvm: accelerator };
	} catch (thrown) {
		throw await session.explain(thrown);
	}
}

async function tryKvm(
	binary: string,
	first: AnsweredQuestions,
	printed: string,
	options: ProbeOptions,
): Promise<KvmTrial> {
	const { arch, machines } = first.facts;
	if (!isNative(hostArch(), arch))
		return { refusal: `KVM runs guests of the host's architecture ${hostArch()}, not of ${arch}`, certain: true };
	if (!("kvm-accel" in first.facts.types))
		return { refusal: `QEMU binary ${binary} was built without KVM`, certain: true };
	// QEMU's first line says what is wrong, the others what it does about it.
	if (!first.kvm) return { refusal: printed.trim().split("\n", 1)[0] || "/dev/kvm cannot be opened", certain: true };
	const machine = TRIAL_MACHINES.find((wanted) =>
		machines.some(({ name, alias }) => wanted === name || wanted === alias),
	);
	// The test program is for PCs; elsewhere QEMU's word has to do.
	if (machine === undefined) return { certain: true };
	return tryAccelerator(binary, machine, options);
}
