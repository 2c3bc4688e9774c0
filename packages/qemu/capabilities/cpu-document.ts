// A <cpu> document given to be compared: a guest's, as in a domain, or a host's, as in capabilities, with what it has and has not.

import { VirtError } from "@virtkit/base/errors";
import { type CpuDef, cpu } from "@virtkit/model/domain/cpu";
import type { XmlElement } from "@virtkit/xml/node";
import { parseXml } from "@virtkit/xml/parse";
import { readElement } from "@virtkit/xml/read";
import { archNamed } from "./arch.ts";
import { toQemuFeature } from "./cpu-features.ts";
import type { ModelDefinition } from "./model-definitions.ts";

/** A CPU as a document describes it. */
export interface GivenCpu {
	/** Of a host: all that it names is there. */
	readonly isHost: boolean;
	readonly arch: string | undefined;
	readonly def: CpuDef;
}

const ROOT = "cpu";

/** Throws XML_ERROR for what is no <cpu>. `validate` refuses unknown elements too. */
export function parseCpu(text: string, validate: boolean, type: "host" | "any" = "any"): GivenCpu {
	const root = parseXml(text, "CPU definition");
	if (root.local !== ROOT) throw new VirtError("XML_ERROR", "XML does not contain expected 'cpu' element", CPU_ERROR);
	const arch = textOf(root, "arch");
	const isHost = arch !== undefined;
	if (type === "host" && root.attributes["mode"] !== undefined)
		throw new VirtError("CONFIG_UNSUPPORTED", "Attribute mode is only allowed for guest CPU", CPU_ERROR);
	if (type === "host" && !isHost) throw new VirtError("XML_ERROR", "Missing CPU architecture", CPU_ERROR);
	if (isHost && archNamed(arch) === undefined)
		throw new VirtError("CONFIG_UNSUPPORTED", `Unknown architecture ${arch}`, CPU_ERROR);
	const known = isHost ? { ...root, children: root.children.filter((one) => !isElement(one, HOST_ONLY)) } : root;
	const def = readElement(cpu, known, { strict: validate });
	if (isHost && def.model?.name === undefined) throw new VirtError("XML_ERROR", "Missing CPU model name", CPU_ERROR);
	return { isHost, arch, def };
}

const CPU_ERROR = { domain: "CPU" } as const;

/** Elements of a host's CPU that no guest's has. */
const HOST_ONLY: ReadonlySet<string> = new Set(["arch", "microcode", "signature", "counter", "pages"]);

const isElement = (one: XmlElement["children"][number], names: ReadonlySet<string>): boolean =>
	typeof one !== "string" && names.has(one.local);

function textOf(root: XmlElement, name: string): string | undefined {
	for (const child of root.children)
		if (typeof child !== "string" && child.local === name)
			return child.children
				.filter((one) => typeof one === "string")
				.join("")
				.trim();
	return undefined;
}

/** The model that a document names. Throws INTERNAL_ERROR for one that nobody knows. */
export function modelOf({ def }: GivenCpu, models: readonly ModelDefinition[]): ModelDefinition | undefined {
	const name = def.model?.name;
	if (name === undefined) return undefined;
	const found = models.find((model) => model.name === name);
	if (found) return found;
	throw new VirtError("INTERNAL_ERROR", `Unknown CPU model ${name}`, CPU_ERROR);
}

/** What a guest asks of a feature. */
export type Policy = "force" | "require" | "optional" | "disable" | "forbid";

/** QEMU's names of the features with one of these policies; those of the model are required. Throws INTERNAL_ERROR for unknown ones. */
export function featuresOf(
	given: GivenCpu,
	models: readonly ModelDefinition[],
	known: ReadonlySet<string>,
	...policies: readonly Policy[]
): Set<string> {
	const found = new Set<string>(policies.includes("require") ? modelOf(given, models)?.features : []);
	for (const { name, policy = "require" } of given.def.feature) {
		const feature = toQemuFeature(name);
		if (!known.has(feature)) throw new VirtError("INTERNAL_ERROR", `Unknown CPU feature ${name}`, CPU_ERROR);
		if (policies.includes(given.isHost ? "require" : policy)) found.add(feature);
	}
	return found;
}

/** All that it surely has: the model's features and those added, without those taken away. */
export function certainFeatures(
	given: GivenCpu,
	models: readonly ModelDefinition[],
	known: ReadonlySet<string>,
): Set<string> {
	const without = featuresOf(given, models, known, "disable", "forbid");
	return new Set([...featuresOf(given, models, known, "require", "force")].filter((name) => !without.has(name)));
}
