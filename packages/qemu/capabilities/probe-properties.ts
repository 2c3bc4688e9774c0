// Asks for the properties of many types, and outlives a QEMU that crashes on one of them.

import type { QmpClient } from "@virtkit/qmp/client";
import { isQmpError } from "@virtkit/qmp/qmp-error";

/** How a type's properties are asked for: devices have their own way, which leaves out what users cannot set. */
export type PropertyCommand = "device-list-properties" | "qom-list-properties";

export interface PropertyQuestion {
	readonly type: string;
	readonly command: PropertyCommand;
}

/** An emulator with its monitor. */
export type AskedEmulator = AsyncDisposable & { readonly client: QmpClient };

/** Names of the properties by type. A type on which QEMU crashed has no entry. */
export type PropertyAnswers = ReadonlyMap<string, readonly string[]>;

/** An emulator that crashes on more types than this is not asked any further: something else is wrong with it. */
const MAX_CRASHES = 16;

/**
 * Asks all questions, of `client` first and of a new emulator whenever one dies.
 *
 * QEMU aborts on a few types whose module is not installed (virtio-gpu-gl-pci without its OpenGL half); users could
 * not make these either.
 */
export async function askProperties(
	client: QmpClient,
	questions: readonly PropertyQuestion[],
	restart: () => AskedEmulator,
): Promise<PropertyAnswers> {
	const answers = new Map<string, readonly string[]>();
	let rest = await askUntilLoss(client, questions, answers);
	for (let crashes = 0; rest.length > 0 && crashes < MAX_CRASHES; crashes++) {
		await using session = restart();
		rest = await askUntilLoss(session.client, rest, answers);
	}
	return answers;
}

/** Fills `answers`; returns the questions after the one that QEMU died of, none where it lives. */
async function askUntilLoss(
	client: QmpClient,
	questions: readonly PropertyQuestion[],
	answers: Map<string, readonly string[]>,
): Promise<readonly PropertyQuestion[]> {
	const results = await Promise.allSettled(
		questions.map(({ command, type }) => client.execute(command, { typename: type })),
	);
	for (const [index, result] of results.entries()) {
		const type = questions[index]?.type ?? "";
		if (result.status === "fulfilled") answers.set(type, result.value.map(({ name }) => name).sort());
		else if (isQmpError(result.reason)) answers.set(type, []);
		else return questions.slice(index + 1);
	}
	return [];
}
