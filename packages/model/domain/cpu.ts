// The guest's CPU: model, features, topology, caches, address width, NUMA cells.

import { integer, matching, nonEmpty, oneOf, onOff } from "@virtkit/xml/codec";
import { documentError } from "@virtkit/xml/read";
import { attr, child, element, type Infer, leaf, list, text } from "@virtkit/xml/schema";
import { numa } from "./numa.ts";

const positive = integer({ min: 1, max: 0xffffffff });

const model = element({
	fallback: attr(oneOf("allow", "forbid"), {
		code: "CONFIG_UNSUPPORTED",
		doc: "Whether a near model may stand in for one that the emulator lacks.",
		show: (self) => self.name !== undefined,
	}),
	vendor_id: attr(matching(/^[^,]{12}$/, "12 characters without a comma"), { doc: "Vendor id that the guest sees." }),
	name: text(nonEmpty, { doc: "Name of the model." }),
});

export const cpuTopology = element(
	{
		sockets: attr(positive, { required: true, doc: "Sockets of the machine." }),
		dies: attr(positive, { doc: "Dies of a socket." }),
		clusters: attr(positive, { absent: 1, doc: "Clusters of a die (Arm)." }),
		cores: attr(positive, { required: true, doc: "Cores of a die." }),
		threads: attr(positive, { required: true, doc: "Threads of a core." }),
	},
	{
		onRead(value) {
			value.dies ??= 1;
		},
	},
);

export const cpuFeature = element({
	policy: attr(oneOf("force", "require", "optional", "disable", "forbid"), {
		code: "CONFIG_UNSUPPORTED",
		doc: "Whether the guest must, may or must not have the feature; `require` where absent.",
	}),
	name: attr(nonEmpty, { required: true, doc: "Name of the feature." }),
});

/** The modes in which the CPU is the host's own, whose model is not named. */
const isHost = (mode: unknown): boolean => mode === "host-passthrough" || mode === "maximum";

export const cpu = element(
	{
		mode: attr(oneOf("custom", "host-model", "host-passthrough", "maximum"), {
			code: "CONFIG_UNSUPPORTED",
			doc: "Where the CPU comes from: named here, like the host's, the host's own, or all that can be had.",
			show: (self) => self.mode !== "custom" || self.model !== undefined,
		}),
		match: attr(oneOf("exact", "minimum", "strict"), {
			doc: "How far the guest's CPU may differ from the one named.",
			show: (self) => self.mode === "custom" && self.model !== undefined,
		}),
		check: attr(oneOf("none", "partial", "full"), {
			doc: "How thoroughly it is checked that the guest gets the CPU.",
			show: (self) => self.mode !== "custom" || self.model !== undefined,
		}),
		migratable: attr(onOff, { doc: "Whether features that hinder migration are left out." }),
		deprecated_features: attr(onOff, { doc: "Whether features that newer machines lack are kept (s390x)." }),
		model: child(model, { doc: "Named CPU model.", show: (self) => !isHost(self.mode) }),
		vendor: leaf(nonEmpty, { doc: "Vendor that the host's CPU must have.", show: (self) => !isHost(self.mode) }),
		topology: child(cpuTopology, { doc: "How CPUs form cores, dies and sockets." }),
		cache: child(
			element({
				level: attr(integer({ min: 1, max: 3 }), { doc: "Cache level; all where absent." }),
				mode: attr(oneOf("emulate", "passthrough", "disable"), { required: true, doc: "What cache the guest sees." }),
			}),
		),
		maxphysaddr: child(
			element({
				mode: attr(oneOf("emulate", "passthrough"), {
					required: true,
					doc: "Where the width of physical addresses comes from.",
				}),
				bits: attr(integer({ min: 0, max: 0x7fffffff }), { doc: "Bits of a physical address." }),
				limit: attr(integer({ min: 0, max: 0x7fffffff }), { doc: "Most bits that are taken over from the host." }),
			}),
		),
		feature: list(cpuFeature, { doc: "Feature that differs from the model's." }),
		numa: child(numa, { doc: "NUMA cells of the guest." }),
	},
	{
		onRead(value, node) {
			value.mode ??= "custom";
			if (value.model && value.model.name === undefined && value.model.vendor_id === undefined) value.model = undefined;
			if (isHost(value.mode) && value.model) {
				value.model.fallback = undefined;
				value.model.vendor_id = undefined;
			} else if (value.model) value.model.fallback ??= "allow";
			if (value.mode === "custom" && value.model) value.match ??= "exact";
			if (value.migratable !== undefined && !isHost(value.mode))
				throw documentError(
					node,
					"Attribute 'migratable' is only for CPU modes 'host-passthrough' and 'maximum'",
					"CONFIG_UNSUPPORTED",
				);
			checkNames(value, node);
		},
	},
);

export type CpuDef = Infer<typeof cpu>;
export type CpuFeatureDef = Infer<typeof cpuFeature>;
export type CpuTopologyDef = Infer<typeof cpuTopology>;

function checkNames(value: CpuDef, node: { line: number; column: number }): void {
	const { model: named, feature, vendor, mode } = value;
	if (vendor !== undefined && !named?.name)
		throw documentError(node, `CPU vendor '${vendor}' specified without CPU model`);
	if (feature.length > 0 && !named?.name && mode === "custom")
		throw documentError(node, `CPU feature '${feature[0]?.name}' specified without CPU model`);
	const seen = new Set<string>();
	for (const one of feature) {
		one.policy ??= "require";
		if (seen.has(one.name)) throw documentError(node, `CPU feature '${one.name}' specified more than once`);
		seen.add(one.name);
	}
}
