// The LXC program: entering a container's namespaces.

import { uint } from "@virtkit/xdr/primitive";
import { call, none } from "../procedure.ts";
import { domain } from "../types/object.ts";

export const lxcProcedures = {
	DOMAIN_OPEN_NAMESPACE: call(1, { dom: domain, flags: uint }, none, { acl: ["domain:open_namespace"] }),
} as const;
