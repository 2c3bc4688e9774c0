// Where the guest stands in the host's resource management.

import { nonEmpty } from "@virtkit/xml/codec";
import { attr, child, element, type Infer, leaf } from "@virtkit/xml/schema";

export const resource = element({
	partition: leaf(nonEmpty, { doc: "Absolute path of the cgroup partition that the guest runs in." }),
	fibrechannel: child(
		element({ appid: attr(nonEmpty, { doc: "Application id of the guest's Fibre Channel traffic." }) }),
	),
});

export type ResourceDef = Infer<typeof resource>;
