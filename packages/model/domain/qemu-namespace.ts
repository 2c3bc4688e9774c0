// Elements in libvirt's QEMU namespace: raw options, environment, device property overrides, capability switches.

import { matching, oneOf, str } from "@virtkit/xml/codec";
import { documentError } from "@virtkit/xml/read";
import { attr, child, element, type Infer, list } from "@virtkit/xml/schema";

/** Namespace of the elements, and the prefix they are written with. */
export const QEMU_NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0";
const inNamespace = { uri: QEMU_NAMESPACE, prefix: "qemu" } as const;

const capability = element({
	capability: attr(str, { required: true, code: "INTERNAL_ERROR", doc: "libvirt's name of the capability." }),
});

export const qemuCommandline = element({
	arg: list(
		element({ value: attr(str, { required: true, code: "INTERNAL_ERROR", doc: "One word of the command line." }) }),
		{
			...inNamespace,
			doc: "Words added to QEMU's command line.",
		},
	),
	env: list(
		element({
			name: attr(matching(/^[A-Za-z_][A-Za-z0-9_]*$/, "letters, digits and underscores, no digit first"), {
				required: true,
				code: "INTERNAL_ERROR",
				doc: "Name of the variable.",
			}),
			value: attr(str, { doc: "Its value." }),
		}),
		{ ...inNamespace, doc: "Variables added to QEMU's environment." },
	),
});

export const qemuCapabilities = element({
	add: list(capability, { ...inNamespace, doc: "Capability to be taken as present." }),
	del: list(capability, { ...inNamespace, doc: "Capability to be taken as absent." }),
});

const NUMBERS: Readonly<Record<string, RegExp>> = {
	signed: /^\s*[+-]?\d+$/,
	unsigned: /^\s*\+?\d+$/,
	bool: /^(?:true|false)$/,
};

const property = element(
	{
		name: attr(str, { required: true, doc: "Name of the property." }),
		type: attr(oneOf("string", "signed", "unsigned", "bool", "remove"), { required: true, doc: "Type of its value." }),
		value: attr(str, { doc: "The value." }),
	},
	{
		onRead(self, node) {
			if (self.name === "id") throw documentError(node, "property with name 'id' can't be overridden");
			if ((self.value === undefined) !== (self.type === "remove"))
				throw documentError(
					node,
					`property '${self.name}' of type '${self.type}': a value stands with every type but 'remove'`,
				);
			if (self.value !== undefined && NUMBERS[self.type]?.test(self.value) === false)
				throw documentError(node, `invalid value '${self.value}' of property '${self.name}' of type '${self.type}'`);
		},
	},
);

export const qemuOverride = element({
	device: list(
		element({
			alias: attr(str, { required: true, doc: "Alias of the device." }),
			frontend: child(
				element({ property: list(property, { ...inNamespace, doc: "Property that is set or taken away." }) }),
				{
					...inNamespace,
					doc: "What the guest sees of the device.",
				},
			),
		}),
		{ ...inNamespace, doc: "Properties of one device." },
	),
});

export const qemuDeprecation = element({
	behavior: attr(str, { required: true, doc: "What QEMU does with deprecated options." }),
});

/** The fields of the domain in the namespace. */
export const qemuFields = {
	qemuCommandline: child(qemuCommandline, { ...inNamespace, name: "commandline", doc: "Raw options and environment." }),
	qemuCapabilities: child(qemuCapabilities, {
		...inNamespace,
		name: "capabilities",
		doc: "Capabilities to be assumed.",
	}),
	qemuOverride: child(qemuOverride, { ...inNamespace, name: "override", doc: "Overridden device properties." }),
	qemuDeprecation: child(qemuDeprecation, {
		...inNamespace,
		name: "deprecation",
		doc: "Treatment of deprecated options.",
	}),
} as const;

export type QemuCommandlineDef = Infer<typeof qemuCommandline>;
export type QemuOverrideDef = Infer<typeof qemuOverride>;
