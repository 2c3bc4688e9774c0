// The questions about CPUs, put once for each accelerator.

import type { SchemaEntity } from "@virtkit/qapi/introspection";
import type { CpuDefinitionInfo, QmpCommands } from "@virtkit/qapi/schema.gen";
import type { QmpClient } from "@virtkit/qmp/client";
import { isQmpError } from "@virtkit/qmp/qmp-error";
import type { AcceleratorCapabilities, CpuExpansion, CpuModel, CpuModelFeatures } from "./emulator.ts";

export interface AskedAccelerator {
	/** All types that can be made with it. */
	readonly types: readonly string[];
	readonly accelerator: AcceleratorCapabilities;
	/** x86 alone. */
	readonly cpuModels: Readonly<Record<string, CpuModelFeatures>> | undefined;
}

type Properties = CpuExpansion["properties"];

/** Asks what differs between accelerators; `host` is the CPU model that stands for all the host can do. */
export async function askAccelerator(
	client: QmpClient,
	schema: readonly SchemaEntity[],
	host: "host" | "max",
): Promise<AskedAccelerator> {
	const has = (command: string) => schema.some(({ name }) => name === command);
	const [types, definitions] = await Promise.all([
		client.execute("qom-list-types", { abstract: false }),
		has("query-cpu-definitions") ? client.execute("query-cpu-definitions") : [],
	]);
	const names = types.map(({ name }) => name).sort();
	const isX86 = names.some((name) => /^max-(x86_64|i386)-cpu$/.test(name));
	const canExpand = has("query-cpu-model-expansion");
	const [hostCpu, hyperv, cpuModels] = await Promise.all([
		canExpand ? askHostCpu(client, host, isX86) : undefined,
		canExpand && isX86 && host === "host" ? askHyperv(client) : undefined,
		canExpand && isX86 ? askModels(client, definitions) : undefined,
	]);
	const accelerator = {
		cpus: definitions.map(toCpuModel),
		...(hostCpu ? { hostCpu } : {}),
		...(hyperv ? { hyperv } : {}),
	};
	return { types: names, accelerator, cpuModels };
}

async function askHostCpu(client: QmpClient, name: string, isX86: boolean): Promise<CpuExpansion | undefined> {
	const [full, all] = await Promise.all([
		expand(client, "full", name),
		isX86 ? expand(client, "static", name, { migratable: false }) : undefined,
	]);
	if (full === undefined) return undefined;
	return { model: name, properties: full, ...(all ? { features: featuresOf(all) } : {}) };
}

/** Hyper-V enlightenments that KVM offers: those that the host's CPU has once it is told to pass all on. */
async function askHyperv(client: QmpClient): Promise<string[] | undefined> {
	const properties = await expand(client, "full", "host", { "hv-passthrough": true });
	if (properties === undefined) return undefined;
	const given = Object.entries(properties).filter(([name, value]) => name.startsWith("hv-") && isGiven(value));
	return given.map(([name]) => name.slice("hv-".length)).sort();
}

const isGiven = (value: boolean | number | string): boolean =>
	typeof value === "string" || (typeof value === "number" ? value > 0 : value);

/** Spells out every model that has a name of its own: not the versions of one (`EPYC-v2`), nor those that depend on the host. */
async function askModels(
	client: QmpClient,
	definitions: readonly CpuDefinitionInfo[],
): Promise<Record<string, CpuModelFeatures>> {
	const names = definitions
		.map(({ name }) => name)
		.filter((name) => isOwnModel(name))
		.sort();
	const expansions = await Promise.all(names.map((name) => expand(client, "static", name)));
	const models: Record<string, CpuModelFeatures> = {};
	for (const [index, properties] of expansions.entries()) {
		const name = names[index];
		if (name !== undefined && properties !== undefined) models[name] = toModelFeatures(properties);
	}
	return models;
}

/** Whether an x86 model of that name is one of its own. */
export function isOwnModel(name: string): boolean {
	return !/-v\d+$/.test(name) && !["host", "max", "base"].includes(name);
}

function toModelFeatures(properties: Properties): CpuModelFeatures {
	return {
		vendor: String(properties["vendor"]),
		family: Number(properties["family"]),
		model: Number(properties["model"]),
		stepping: Number(properties["stepping"]),
		features: featuresOf(properties),
	};
}

/** Names of the features that are on, without the hypervisor's own and those of VMX's inner life. */
function featuresOf(properties: Properties): string[] {
	const on = Object.entries(properties).filter(([name, value]) => value === true && !/^(kvm|hv-|vmx-)/.test(name));
	return on.map(([name]) => name).sort();
}

type ExpansionType = QmpCommands["query-cpu-model-expansion"]["args"]["type"];

/** A CPU model's properties; undefined where this QEMU cannot spell it out. */
async function expand(
	client: QmpClient,
	type: ExpansionType,
	name: string,
	props?: Properties,
): Promise<Properties | undefined> {
	try {
		const { model } = await client.execute("query-cpu-model-expansion", { type, model: { name, props } });
		return (model.props ?? {}) as Properties;
	} catch (thrown) {
		if (isQmpError(thrown)) return undefined;
		throw thrown;
	}
}

function toCpuModel(cpu: CpuDefinitionInfo): CpuModel {
	const blockers = cpu["unavailable-features"];
	return {
		name: cpu.name,
		type: cpu.typename,
		...(blockers === undefined ? {} : { usable: blockers.length === 0 }),
		blockers: blockers ?? [],
		deprecated: cpu.deprecated,
	};
}
