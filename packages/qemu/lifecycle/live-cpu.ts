// Names the CPU that a guest really got: a model, and every feature in which QEMU's accelerator made it differ from that model.

import type { CpuDef } from "@virtkit/model/domain/cpu";
import { isQmpError } from "@virtkit/qmp/qmp-error";
import { toLibvirtFeature, toQemuFeature } from "../capabilities/cpu-features.ts";
import { CPUID_ORDER } from "../capabilities/cpuid-order.ts";
import { modelDefinitions } from "../capabilities/model-definitions.ts";
import type { Run } from "../domain/run.ts";
import { isX86 } from "../machine.ts";

/** Features of guests' CPUs by what determines them: equal guests are asked once. */
const KNOWN = new Map<string, ReadonlySet<string>>();
const KNOWN_MAX = 256;

/** Has the run's definition show the CPU that the guest got. Asks QEMU in the background; `live.settling` is when it is done. */
export function settleLiveCpu(run: Run): void {
	const { def } = run.live;
	const { cpu } = def;
	if (!isX86(def) || cpu?.mode !== "custom" || cpu.model?.name === undefined) return;
	const key = JSON.stringify([run.caps.binary, run.caps.version, def.type, def.os.type.machine, cpu]);
	const known = KNOWN.get(key);
	if (known) return show(run, cpu, known);
	run.live.settling = askFeatures(run)
		.then((features) => {
			if (KNOWN.size >= KNOWN_MAX) KNOWN.clear();
			KNOWN.set(key, features);
			show(run, cpu, features);
		})
		// A guest that ends meanwhile, or a QEMU that does not say: the CPU stays as it was asked for.
		.catch(() => undefined)
		.finally(() => {
			run.live.settling = undefined;
		});
}

function show(run: Run, cpu: CpuDef, features: ReadonlySet<string>): void {
	run.live.shownCpu = liveCpu(cpu, modelFeatures(run, cpu), features);
	run.live.changed();
}

/** QEMU's names of the features that the first virtual CPU has. */
async function askFeatures(run: Run): Promise<ReadonlySet<string>> {
	const [first] = await run.monitor.execute("query-cpus-fast");
	const path = first?.["qom-path"];
	if (path === undefined) throw new Error("the guest has no virtual CPU");
	const has = async (property: string): Promise<boolean> => {
		try {
			return (await run.monitor.execute("qom-get", { path, property })) === true;
		} catch (error) {
			// An older QEMU knows fewer features.
			if (isQmpError(error)) return false;
			throw error;
		}
	};
	const answers = await Promise.all(CPUID_ORDER.map(has));
	return new Set(CPUID_ORDER.filter((_, index) => answers[index]));
}

/** Features that the model has by its name, with those that the definition adds and takes away. */
function modelFeatures(run: Run, cpu: CpuDef): ReadonlySet<string> {
	const model = modelDefinitions(run.caps.facts).find(({ name }) => name === cpu.model?.name);
	const features = new Set(model?.features);
	// QEMU counts it among every model's own, libvirt among none's.
	features.delete("hypervisor");
	for (const { name, policy } of cpu.feature) {
		if (policy === "disable" || policy === "forbid") features.delete(toQemuFeature(name));
		else features.add(toQemuFeature(name));
	}
	return features;
}

/**
 * The CPU as it is shown of a running guest (virCPUUpdateLive).
 *
 * `expected` are the features that model and definition promise, `given` those that the guest has; QEMU's names.
 */
export function liveCpu(cpu: CpuDef, expected: ReadonlySet<string>, given: ReadonlySet<string>): CpuDef {
	const feature = cpu.feature.map((one) => ({ ...one }));
	for (const name of CPUID_ORDER) {
		if (expected.has(name) === given.has(name)) continue;
		const policy = given.has(name) ? "require" : "disable";
		const shown = toLibvirtFeature(name);
		const own = feature.find((one) => one.name === shown);
		if (own) own.policy = policy;
		else feature.push({ name: shown, policy });
	}
	return { ...cpu, match: "exact", check: "full", model: { ...cpu.model, fallback: "forbid" }, feature };
}
