// User and group ids of a container's user namespace.

import { uint } from "@virtkit/xml/codec";
import { attr, element, type Infer, list } from "@virtkit/xml/schema";

const range = element({
	start: attr(uint, { required: true, doc: "First id in the container." }),
	target: attr(uint, { required: true, doc: "Host id it becomes." }),
	count: attr(uint, { required: true, doc: "Number of ids." }),
});

export const idmap = element(
	{
		uid: list(range, { doc: "User ids." }),
		gid: list(range, { doc: "Group ids." }),
	},
	{
		onRead(value) {
			value.uid.sort((a, b) => a.start - b.start);
			value.gid.sort((a, b) => a.start - b.start);
		},
	},
);

export type IdmapDef = Infer<typeof idmap>;
