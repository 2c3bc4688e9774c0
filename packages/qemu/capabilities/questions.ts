// The questions put to an emulator over its monitor, and its answers as facts.

import type { SchemaEntity } from "@virtkit/qapi/introspection";
import type { MachineInfo } from "@virtkit/qapi/schema.gen";
import { archOfTarget } from "./arch.ts";
import { type AskedAccelerator, askAccelerator } from "./cpu-questions.ts";
import { type EmulatorFacts, type MachineType, machineKind } from "./emulator.ts";
import { askHostSecurity } from "./host-questions.ts";
import { askProperties, type PropertyQuestion } from "./probe-properties.ts";
import type { ProbeSession } from "./probe-session.ts";

export interface AnsweredQuestions {
	readonly facts: Omit<EmulatorFacts, "tcg" | "kvm" | "kvmRefusal" | "cpuModels">;
	/** Of the accelerator that QEMU took. */
	readonly asked: AskedAccelerator;
	/** Whether that is KVM. */
	readonly kvm: boolean;
}

/** Asks everything; `restart` starts the emulator anew where a question crashes it. */
export async function askEmulator(session: ProbeSession, restart: () => ProbeSession): Promise<AnsweredQuestions> {
	const { client } = session;
	// Listing types makes QEMU load all its modules, and some of these bring options (`-spice`): so types come first.
	const [greeting, devices, objects, target, kvm, machines, options, schema] = await Promise.all([
		client.ready,
		client.execute("qom-list-types", { implements: "device", abstract: false }),
		client.execute("qom-list-types", { implements: "user-creatable", abstract: false }),
		client.execute("query-target"),
		client.execute("query-kvm"),
		client.execute("query-machines"),
		client.execute("query-command-line-options"),
		client.execute("query-qmp-schema") as Promise<readonly unknown[]> as Promise<readonly SchemaEntity[]>,
	]);
	const asked = await askAccelerator(client, schema, kvm.enabled ? "host" : "max");
	const { types } = asked;
	const security = await askHostSecurity(client, schema);
	const machineTypes = machines.map(toMachineType);
	const newest = newestOfEachKind(machineTypes.map(({ name }) => name));
	const questions = [
		...devices
			.map(({ name }) => name)
			.filter(isWorthAsking)
			.map(deviceQuestion),
		...objects
			.map(({ name }) => name)
			.filter(isWorthAsking)
			.map(objectQuestion),
		...newest
			.map((name) => `${name}-machine`)
			.filter(isWorthAsking)
			.map(objectQuestion),
	].filter(({ type }) => !lacksItsOtherHalf(type, types));
	const answers = await askProperties(client, questions, restart);
	const unanswered = questions.filter(
		({ command, type }) => command === "device-list-properties" && !answers.has(type),
	);
	const unmakable = [...types.filter((type) => lacksItsOtherHalf(type, types)), ...unanswered.map(({ type }) => type)];
	const { major, minor, micro } = greeting.version;
	return {
		facts: {
			binary: session.binary,
			arch: archOfTarget(target.arch),
			version: major * 1_000_000 + minor * 1_000 + micro,
			package: greeting.package,
			machines: machineTypes,
			types: Object.fromEntries(types.map((type) => [type, answers.get(type) ?? []])),
			unmakable,
			machineProperties: Object.fromEntries(newest.map((name) => [name, answers.get(`${name}-machine`) ?? []])),
			options: Object.fromEntries(
				options.map(({ option, parameters }) => [option, parameters.map(({ name }) => name)]),
			),
			schema,
			...security,
		},
		asked,
		kvm: kvm.enabled,
	};
}

function toMachineType(machine: MachineInfo): MachineType {
	return {
		name: machine.name,
		...(machine.alias === undefined ? {} : { alias: machine.alias }),
		isDefault: machine["is-default"] ?? false,
		maxCpus: machine["cpu-max"],
		hotplugCpus: machine["hotpluggable-cpus"],
		numa: machine["numa-mem-supported"],
		deprecated: machine.deprecated,
		...(machine["default-cpu-type"] === undefined ? {} : { defaultCpuType: machine["default-cpu-type"] }),
		...(machine["default-ram-id"] === undefined ? {} : { defaultRamId: machine["default-ram-id"] }),
	};
}

const deviceQuestion = (type: string): PropertyQuestion => ({ type, command: "device-list-properties" });
const objectQuestion = (type: string): PropertyQuestion => ({ type, command: "qom-list-properties" });

/** Types that QEMU 7.2 can make, and crashes on when it is asked about them. */
const NOT_TO_BE_ASKED: ReadonlySet<string> = new Set(["colo-compare", "microvm-machine"]);

/** CPU models all have the same properties: `max` and `host` speak for them. Experimental objects crash when looked at. */
function isWorthAsking(type: string): boolean {
	if (NOT_TO_BE_ASKED.has(type)) return false;
	return type.endsWith("-cpu") ? /^(max|host)-/.test(type) : !type.startsWith("x-");
}

/**
 * QEMU aborts when asked about virtio-gpu-gl-pci or virtio-vga-gl while the module with their common half,
 * virtio-gpu-gl-device, is not installed; it could not make them either.
 */
function lacksItsOtherHalf(type: string, types: readonly string[]): boolean {
	const kind = /^virtio-(?:gpu-(\w+)-pci|vga-(\w+))$/.exec(type);
	return kind !== null && !types.includes(`virtio-gpu-${kind[1] ?? kind[2]}-device`);
}

/** Of versioned machine types (`pc-q35-7.2`) the newest of each kind, and all that have no version. */
export function newestOfEachKind(machines: readonly string[]): string[] {
	const newest = new Map<string, string>();
	for (const name of machines) {
		const kind = machineKind(name);
		const known = newest.get(kind);
		if (known === undefined || compareVersions(name, known) > 0) newest.set(kind, name);
	}
	return [...newest.values()].sort();
}

function compareVersions(a: string, b: string): number {
	const numbers = (name: string) => (/[0-9.]+$/.exec(name)?.[0] ?? "0").split(".").map(Number);
	const [left, right] = [numbers(a), numbers(b)];
	for (let index = 0; index < Math.max(left.length, right.length); index++) {
		const difference = (left[index] ?? 0) - (right[index] ?? 0);
		if (difference !== 0) return difference;
	}
	return 0;
}
