// Labels of the host's security systems (SELinux, AppArmor, DAC) that the guest runs with.

import { nonEmpty, oneOf, yesNo } from "@virtkit/xml/codec";
import { elementsOf, type XmlElement } from "@virtkit/xml/node";
import { documentError } from "@virtkit/xml/read";
import { attr, element, type Infer, leaf } from "@virtkit/xml/schema";

export const seclabel = element(
	{
		type: attr(oneOf("none", "dynamic", "static"), {
			doc: "Whether the label is made at start, given here, or absent.",
		}),
		model: attr(nonEmpty, { doc: "Security system the label belongs to." }),
		relabel: attr(yesNo, {
			doc: "Whether the guest's files get its label.",
			show: (self) => self.type !== "none",
		}),
		implicit: attr(yesNo, {
			live: true,
			show: (_, { status }) => status === true,
			doc: "Set where nobody asked for the label: it belongs to the run, not to the configuration.",
		}),
		label: leaf(nonEmpty, {
			doc: "Label of the guest's process.",
		}),
		imagelabel: leaf(nonEmpty, {
			doc: "Label of the guest's files.",
			show: (self) => self.relabel === true,
		}),
		baselabel: leaf(nonEmpty, {
			doc: "Label that the one made at start is built from.",
			when: (self) => self.type === "dynamic",
		}),
	},
	{
		onRead(value, node, context) {
			value.type ??= "dynamic";
			if (!context.live && value.type !== "static") delete value.label;
			if (!context.live || value.type === "none") delete value.imagelabel;
			value.relabel ??= value.type === "dynamic";
			if (value.type === "dynamic" && !value.relabel)
				throw documentError(node, "dynamic label type must use resource relabeling", "CONFIG_UNSUPPORTED");
			if (value.type === "none" && value.relabel)
				throw documentError(node, "resource relabeling is not compatible with label type 'none'", "CONFIG_UNSUPPORTED");
			if (value.model === "none") {
				value.type = "none";
				value.relabel = false;
			} else if (value.type === "static" && value.label === undefined)
				throw documentError(node, "security label is missing");
		},
	},
);

export type SeclabelDef = Infer<typeof seclabel>;

/** Throws where two labels are of one security system, or one of several names none. */
export function checkSeclabels(domain: XmlElement): void {
	const labels = elementsOf(domain).filter(({ name }) => name === "seclabel");
	const seen = new Set<string | undefined>();
	for (const label of labels) {
		const { model } = label.attributes;
		if (seen.has(model)) throw documentError(label, `seclabel for model ${model} is already provided`, "XML_DETAIL");
		seen.add(model);
	}
	if (labels.length > 1 && seen.has(undefined))
		throw documentError(domain, "missing security model when using multiple labels");
}
