// How many virtual CPUs the guest has, which of them are there, and the host CPUs they may run on.

import { integer, oneOf, uint, yesNo } from "@virtkit/xml/codec";
import { documentError } from "@virtkit/xml/read";
import { attr, element, type Infer, text } from "@virtkit/xml/schema";
import { numberSetCode, someNumbers } from "./number-sets.ts";

export const vcpu = element(
	{
		placement: attr(oneOf("static", "auto"), { doc: "Whether host CPUs are chosen by `cpuset` or by asking numad." }),
		cpuset: attr(someNumbers, { code: numberSetCode, doc: "Host CPUs that virtual CPUs run on unless pinned." }),
		current: attr(uint, { doc: "Virtual CPUs that are there at start." }),
		count: text(integer({ min: 0, max: 0xffffffff }), { doc: "Virtual CPUs that the guest can have." }),
	},
	{
		onRead(value, found) {
			value.count ??= 1;
			if (value.count === 0) throw documentError(found, "a guest has at least 1 virtual CPU, not 0", "INTERNAL_ERROR");
			value.placement ??= "static";
			if (value.placement === "auto") value.cpuset = undefined;
		},
	},
);

export const vcpuState = element({
	id: attr(uint, { required: true, doc: "Number of the virtual CPU." }),
	enabled: attr(yesNo, { required: true, doc: "Whether it is there at start." }),
	hotpluggable: attr(yesNo, { doc: "Whether it can be unplugged." }),
	order: attr(uint, { absent: 0, doc: "Position in the order in which CPUs are plugged." }),
});

export type VcpuDef = Infer<typeof vcpu>;
export type VcpuStateDef = Infer<typeof vcpuState>;
