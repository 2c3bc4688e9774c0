// Security labels of one device's files, overriding the guest's own: <seclabel> inside <source>.

import { str, yesNo } from "@virtkit/xml/codec";
import { documentError, positionOf } from "@virtkit/xml/read";
import { attr, element, type Infer, type Loose, leaf, list } from "@virtkit/xml/schema";

const seclabel = element(
	{
		model: attr(str, { doc: "Security driver that it is for; all of them where absent." }),
		labelskip: attr(yesNo, { live: true, doc: "Set where labelling the file was tried and failed." }),
		relabel: attr(yesNo, {
			default: true,
			show: (self) => self.labelskip !== true,
			doc: "Whether the file's label is changed for the guest.",
		}),
		label: leaf(str, { doc: "The label." }),
	},
	{
		onRead: (value) => {
			if (value.label !== undefined && !value.relabel)
				throw documentError(
					positionOf(value),
					`Cannot specify a label if relabelling is turned off. model=${value.model ?? "any"}`,
				);
		},
	},
);

/** One security label of a device. */
export type DeviceSeclabelDef = Infer<typeof seclabel>;

/** True where two labels name the same security model. */
function hasDuplicates(labels: readonly DeviceSeclabelDef[]): string | undefined {
	const seen = new Set<string>();
	for (const { model } of labels) {
		if (model !== undefined && seen.has(model)) return model;
		if (model !== undefined) seen.add(model);
	}
	return undefined;
}

/** Throws XML_DETAIL where two of the labels are for the same model. */
export function checkDeviceSeclabels(labels: readonly DeviceSeclabelDef[]): void {
	const model = hasDuplicates(labels);
	if (model !== undefined)
		throw documentError(positionOf(labels[0] ?? {}), `seclabel for model ${model} is already provided`, "XML_DETAIL");
}

/** Labels of a device, as a field of its <source>; those that say nothing are not part of the configuration. */
export const deviceSeclabels = list(seclabel, {
	name: "seclabel",
	doc: "Security labels of the device's files.",
	showItem: (item: Loose, options) => !(options.inactive && item.label === undefined && item.relabel === true),
});
