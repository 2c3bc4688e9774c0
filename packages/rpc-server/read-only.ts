// What read-only clients may not do: whatever needs more than looking, by the access rules of the procedures.

import { VirtError } from "@virtkit/base/errors";
import { type Permission, requiredPermissions } from "@virtkit/protocol/access";
import type { DispatchEntry } from "./dispatch-table.ts";
import { errorDomainOf } from "./error-domain.ts";

/** Calls whose rules ask for more than looking, which libvirt's API allows to read-only clients all the same. */
const ALLOWED = new Set([
	"CONNECT_SET_IDENTITY",
	"DOMAIN_MIGRATE_GET_COMPRESSION_CACHE",
	"DOMAIN_MIGRATE_GET_MAX_DOWNTIME",
]);

/** Calls whose rules ask only for looking, which libvirt's API refuses to read-only clients all the same. */
const REFUSED = new Set(["DOMAIN_SET_SCHEDULER_PARAMETERS", "NODE_DEVICE_GET_AUTOSTART", "NODE_GET_SEV_INFO"]);

const LOOKING = /:(getattr|read|search_[a-z_]+)$/;

/** The error for a read-only client that makes this call, undefined when it may. */
export function readOnlyRefusal(entry: DispatchEntry, args: unknown): VirtError | undefined {
	const { program, name, apiName, procedure } = entry;
	if (program === "remote" && ALLOWED.has(name)) return undefined;
	const domain = errorDomainOf(program, name);
	const beyond = requiredPermissions(procedure.acl, args).find(isBeyondLooking);
	if (beyond === undefined && !REFUSED.has(name)) return undefined;
	if (beyond === "domain:read_secure") {
		return new VirtError("OPERATION_DENIED", `${apiName} with secure flag`, { domain });
	}
	return new VirtError("OPERATION_DENIED", `read only access prevents ${apiName}`, { domain });
}

function isBeyondLooking(permission: Permission): boolean {
	return !LOOKING.test(permission);
}
