// The guests of fixtures/argv, on a host and an emulator that exist on paper: what tests and the reference page build from them.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { type CpuModel, EmulatorCapabilities, type EmulatorFacts } from "@virtkit/qemu/capabilities/emulator";
import { buildCommandLine } from "@virtkit/qemu/command-line/build";
import { CommandLine } from "@virtkit/qemu/command-line/command-line";
import { overrideDevice } from "@virtkit/qemu/command-line/extra";
import { prepareDomain } from "@virtkit/qemu/command-line/prepare";
import { bootIndexesOf } from "@virtkit/qemu/defaults/boot-index";
import { completeDomain } from "@virtkit/qemu/defaults/complete";
import type { DefineContext } from "@virtkit/qemu/devices/entry";
import type { DriverHost } from "@virtkit/qemu/driver-host";
import { defineContext } from "./define-context.ts";

const FOLDER = join(import.meta.dirname, "../../fixtures/argv");

/** A document of the fixtures. */
export interface FixtureGuest {
	/** Its file below fixtures/argv. */
	readonly name: string;
	readonly text: string;
}

/** The guests of these folders of fixtures/argv, by name; those of `storage` are devices without a domain around them. */
export function fixtureGuests(...folders: readonly ("domain" | "devices" | "newer" | "storage")[]): FixtureGuest[] {
	return folders.flatMap((folder) =>
		readdirSync(join(FOLDER, folder))
			.filter((file) => /^[a-z-]+\.xml$/.test(file))
			.sort()
			.map((file) => ({ name: `${folder}/${file}`, text: readFileSync(join(FOLDER, folder, file), "utf8") })),
	);
}

/** Types that belong to other machines than the architecture's own: an emulator that had them would choose them. */
const FOREIGN: Readonly<Record<string, (type: string) => boolean>> = {
	s390x: (type) => type === "virtio-vga",
};

const model = (name: string): CpuModel => ({ name, type: `${name}-cpu`, blockers: [], deprecated: false });

const FACTS: Pick<EmulatorFacts, "sev" | "sgx" | "tcg"> = {
	sev: { cbitpos: 47, reducedPhysBits: 1 },
	sgx: { flc: true, sgx1: true, sgx2: false, sections: [{ node: 0, size: 1 << 30 }] },
	tcg: { cpus: ["qemu64", "EPYC", "cortex-a15", "cortex-a72"].map(model) },
};

/** A host whose emulator has everything but what belongs to other machines than the guest's. */
export function fixtureHost({ os }: DomainDef): DriverHost {
	const { arch = "", machine = "" } = os.type;
	const { host, caps: plain } = defineContext("", { arch, machine });
	const isForeign = FOREIGN[arch] ?? ((type: string) => type === "zpci");
	const caps = new EmulatorCapabilities({ ...plain.facts, ...FACTS });
	Object.assign(caps, {
		has: (type: string) => !isForeign(type),
		hasSchema: () => true,
		hasOption: () => true,
		hasMachineProperty: () => true,
	});
	return {
		...host,
		emulatorAt: () => caps,
		swtpm: ["1.2", "2.0"],
		renderNodes: ["/dev/dri/renderD128"],
		hugepages: [{ kib: 2048, mount: "/dev/hugepages", isDefault: true }],
		secretValue: () => Buffer.from("secret"),
	};
}

/** Completes `def` as a definition that is new. */
export function completeFixture(def: DomainDef): DefineContext {
	return completeDomain(def, fixtureHost(def), { fresh: true });
}

/** The command line of a completed definition, which is prepared in place; nothing is created or opened. */
export function buildFixture(context: DefineContext): CommandLine {
	prepareDomain(context);
	const command = new CommandLine("qemu");
	command.adaptDevice = (device) => overrideDevice(device, context.def.qemuOverride);
	const paths = { work: "/work", monitor: "/work/monitor.sock", channels: "/channels", log: "/log" };
	const bootIndexes = bootIndexesOf(context.def);
	return buildCommandLine({ ...context, command, paths, dryRun: true, bootIndexes, descriptors: new Map() });
}
