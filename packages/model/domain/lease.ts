// Leases: locks that a lock manager must hold while the guest runs.

import { str, ulong } from "@virtkit/xml/codec";
import { attr, child, element, type Infer, leaf } from "@virtkit/xml/schema";

const target = element({
	path: attr(str, { required: true, doc: "File that holds the lease." }),
	offset: attr(ulong, { absent: 0, doc: "Where in that file." }),
});

/** The <lease> element. */
export const lease = element({
	lockspace: leaf(str, { doc: "Lock space of the lease." }),
	key: leaf(str, { required: true, doc: "Name of the lease in it." }),
	target: child(target, { required: true, doc: "Where the lease is stored." }),
});
export type LeaseDef = Infer<typeof lease>;
