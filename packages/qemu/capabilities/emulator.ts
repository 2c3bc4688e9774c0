// What one emulator binary can do, as the rest of the driver asks it: machine types, CPU models, devices, properties, schema.

import type { SchemaEntity } from "@virtkit/qapi/introspection";
import { schemaHas } from "./schema-query.ts";

/** A machine type, as query-machines has it. */
export interface MachineType {
	readonly name: string;
	/** Shorter name that means the newest version: `pc`, `q35`, `virt`, `pseries`. */
	readonly alias?: string;
	readonly isDefault: boolean;
	readonly maxCpus: number;
	readonly hotplugCpus: boolean;
	readonly numa: boolean;
	readonly deprecated: boolean;
	/** QOM type of the CPU that QEMU picks when none is asked for. */
	readonly defaultCpuType?: string;
	/** Id of the memory backend that the machine takes for its RAM. */
	readonly defaultRamId?: string;
}

/** A CPU model, as query-cpu-definitions has it. */
export interface CpuModel {
	readonly name: string;
	/** QOM type. */
	readonly type: string;
	/** Whether the host can run it with this accelerator; undefined where QEMU does not say. */
	readonly usable?: boolean;
	/** Properties that keep it from being usable. */
	readonly blockers: readonly string[];
	readonly deprecated: boolean;
}

/** A CPU as query-cpu-model-expansion spells it out. */
export interface CpuExpansion {
	readonly model: string;
	readonly properties: Readonly<Record<string, boolean | number | string>>;
	/** On x86: QEMU's own names of the features it can have, those included that keep a guest from migrating. */
	readonly features?: readonly string[] | undefined;
}

/** What QEMU makes of an x86 CPU model by its name. */
export interface CpuModelFeatures {
	/** The word that CPUID spells: GenuineIntel, AuthenticAMD, … */
	readonly vendor: string;
	readonly family: number;
	readonly model: number;
	readonly stepping: number;
	/** QEMU's own names. */
	readonly features: readonly string[];
}

/** AMD's encryption of guests' memory, as query-sev-capabilities has it. */
export interface SevCapabilities {
	readonly cbitpos: number;
	readonly reducedPhysBits: number;
	readonly cpu0Id?: string | undefined;
}

/** Intel's enclaves, as query-sgx-capabilities has them. Sizes in bytes. */
export interface SgxCapabilities {
	readonly flc: boolean;
	readonly sgx1: boolean;
	readonly sgx2: boolean;
	readonly sections: readonly { readonly node: number; readonly size: number }[];
}

/** What differs between TCG and KVM. */
export interface AcceleratorCapabilities {
	readonly cpus: readonly CpuModel[];
	/** The host's own CPU (`host` of KVM, `max` of TCG), spelled out. */
	readonly hostCpu?: CpuExpansion;
	/** Hyper-V enlightenments that can be had, by QEMU's names without `hv-`. */
	readonly hyperv?: readonly string[];
}

/** Facts about an emulator; plain data, so that it can be cached. */
export interface EmulatorFacts {
	readonly binary: string;
	/** libvirt's name of the target architecture. */
	readonly arch: string;
	/** Major × 1,000,000 + minor × 1,000 + micro. */
	readonly version: number;
	/** The distribution's name of the build, empty where it has none. */
	readonly package: string;
	readonly machines: readonly MachineType[];
	/** Types that can be made, with the names of their properties (none where they were not asked for). */
	readonly types: Readonly<Record<string, readonly string[]>>;
	/** Devices that QEMU lists and yet crashes on, because a module that they need is not installed. */
	readonly unmakable?: readonly string[] | undefined;
	/** Properties of machine types, by name; asked of the newest of each kind. */
	readonly machineProperties: Readonly<Record<string, readonly string[]>>;
	/** Options of the command line with their parameters (query-command-line-options). */
	readonly options: Readonly<Record<string, readonly string[]>>;
	readonly schema: readonly SchemaEntity[];
	readonly tcg?: AcceleratorCapabilities | undefined;
	/** Present where QEMU can open KVM on this host, so that domains for it can be defined. */
	readonly kvm?: AcceleratorCapabilities | undefined;
	/** Versions of Arm's interrupt controller that KVM can give a guest (query-gic-capabilities). */
	readonly gicVersions?: readonly string[] | undefined;
	/** Present where the host can encrypt guests' memory with AMD SEV. */
	readonly sev?: SevCapabilities | undefined;
	/** Present where the host can give guests enclaves. */
	readonly sgx?: SgxCapabilities | undefined;
	/** x86: the CPU models by their unversioned names, spelled out. */
	readonly cpuModels?: Readonly<Record<string, CpuModelFeatures>> | undefined;
	/** Why no guest can be started with KVM; absent where it can. */
	readonly kvmRefusal?: string | undefined;
}

/** Architectures that an emulator runs beside its own. */
const ALSO_RUN: Readonly<Record<string, readonly string[]>> = {
	x86_64: ["i686"],
	aarch64: ["armv7l"],
	armv7l: ["armv6l"],
	ppc64: ["ppc64le"],
};

/** A machine type's name without its version: `pc-q35-7.2` is of kind `pc-q35`. */
export function machineKind(name: string): string {
	return name.replace(/-[0-9.]+$/, "");
}

/** An emulator's facts with the questions that are asked of them. */
export class EmulatorCapabilities {
	readonly facts: EmulatorFacts;
	readonly #properties = new Map<string, ReadonlySet<string>>();

	constructor(facts: EmulatorFacts) {
		this.facts = facts;
	}

	get arch(): string {
		return this.facts.arch;
	}

	get binary(): string {
		return this.facts.binary;
	}

	get version(): number {
		return this.facts.version;
	}

	/** Whether the emulator has device or object `type`, and where given its `property`. */
	has(type: string, property?: string): boolean {
		const known = Object.hasOwn(this.facts.types, type) ? this.facts.types[type] : undefined;
		if (!known || property === undefined) return known !== undefined;
		let names = this.#properties.get(type);
		if (!names) this.#properties.set(type, (names = new Set(known)));
		return names.has(property);
	}

	/** Whether command line option `name` exists, and where given takes `parameter`. */
	hasOption(name: string, parameter?: string): boolean {
		const known = Object.hasOwn(this.facts.options, name) ? this.facts.options[name] : undefined;
		return known !== undefined && (parameter === undefined || known.includes(parameter));
	}

	/** Whether the QMP schema has `path`: `blockdev-add/arg-type/+nvme`, `device_add/$json-cli-hotplug`, `x/ret-type/^value`. */
	hasSchema(path: string): boolean {
		return schemaHas(this.facts.schema, path);
	}

	/** Whether a machine type (given by its full name) has `property`; the newest of its kind answers for older ones. */
	hasMachineProperty(machine: string, property: string): boolean {
		const { machineProperties } = this.facts;
		const kind = machineKind(machine);
		const asked = Object.keys(machineProperties).find((name) => machineKind(name) === kind);
		return asked !== undefined && (machineProperties[asked]?.includes(property) ?? false);
	}

	/** The machine type of that name or alias. */
	machine(name: string): MachineType | undefined {
		return this.facts.machines.find((machine) => machine.name === name || machine.alias === name);
	}

	/** The machine type that a definition without one gets. */
	get defaultMachine(): MachineType | undefined {
		return this.facts.machines.find((machine) => machine.isDefault);
	}

	/** Whether the emulator runs guests of `arch`: its own, and the ones its CPUs also run. */
	runsArch(arch: string): boolean {
		return arch === this.facts.arch || (ALSO_RUN[this.facts.arch]?.includes(arch) ?? false);
	}

	/** Whether guests run on the CPUs of a host of architecture `host` as they are. */
	isNative(host: string): boolean {
		return host === this.facts.arch || (ALSO_RUN[host]?.includes(this.facts.arch) ?? false);
	}

	/** What is known of the accelerator that domains of this type use; undefined where it cannot be had. */
	accelerator(domainType: string): AcceleratorCapabilities | undefined {
		return domainType === "kvm" ? this.facts.kvm : domainType === "qemu" ? this.facts.tcg : undefined;
	}
}
