// VLAN tags of a network interface.

import { integer, matching, oneOf } from "@virtkit/xml/codec";
import { documentError, positionOf } from "@virtkit/xml/read";
import { attr, element, type Infer, list } from "@virtkit/xml/schema";

const tag = element({
	id: attr(integer({ min: 0, max: 4095 }), { required: true, doc: "VLAN number." }),
	nativeMode: attr(oneOf("tagged", "untagged"), {
		doc: "Marks the native VLAN of a trunk, and whether its frames carry a tag.",
	}),
});

/** The <vlan> element. */
export const vlan = element(
	{
		trunk: attr(
			matching(/^(?:yes|no)$/i, "'yes' or 'no'", (text) => text.toLowerCase()),
			{ absent: "no", doc: "Whether the interface carries several VLANs." },
		),
		tag: list(tag, { doc: "A VLAN that the interface takes part in." }),
	},
	{
		onRead(value, found) {
			const fail = (message: string): never => {
				throw documentError(positionOf(value), message);
			};
			const native = value.tag.filter(({ nativeMode }) => nativeMode !== undefined);
			if (value.tag.length === 0) fail("missing tag id - each <vlan> must have at least one <tag id='n'/> subelement");
			if (native.length > 1) fail("duplicate native vlan setting");
			if (found.attributes.trunk === undefined) {
				if (value.tag.length > 1) value.trunk = "yes";
			} else if (value.trunk === undefined && value.tag.length > 1)
				fail(`invalid "trunk='no'" in <vlan> - trunk='yes' is required for more than one vlan tag`);
			else if (value.trunk === undefined && native.length > 0)
				fail("invalid configuration in <vlan> - \"trunk='no'\" is not allowed with a native vlan id");
		},
	},
);
export type VlanDef = Infer<typeof vlan>;
