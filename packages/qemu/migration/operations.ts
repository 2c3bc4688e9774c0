// Live migration, as operations of domains and of the connection.

import { VirtError } from "@virtkit/base/errors";
import type { DomainCollection, DomainOperations } from "@virtkit/core/domain-operations";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { MIGRATE_FLAG } from "./parameters.ts";
import { migrateToPeer } from "./peer.ts";
import { postcopyOperations } from "./postcopy.ts";
import { stepsFor } from "./steps.ts";

/** Throws where the flags do not go with whom the source is to lead the migration with. */
function checkPeer(peer: string | undefined, cookie: Uint8Array, flags: number): void {
	if (!(flags & MIGRATE_FLAG.peerToPeer)) {
		if (flags & MIGRATE_FLAG.tunnelled)
			throw new VirtError("INVALID_ARG", "cannot perform tunnelled migration without using peer2peer flag");
		if (peer === undefined) return;
		throw new VirtError("INTERNAL_ERROR", "Unexpected dconnuri parameter with non-peer2peer migration");
	}
	if (peer === undefined) throw new VirtError("INVALID_ARG", "peer-to-peer migration needs the destination's URI");
	if (cookie.length > 0) throw new VirtError("OPERATION_INVALID", "received unexpected cookie with P2P migration");
}

export function migrationOperations(
	driver: Driver,
): Pick<DomainOperations<QemuDomain>, "migrateBegin" | "migratePerform" | "migrateConfirm" | "migrateStartPostcopy"> {
	return {
		...postcopyOperations(),
		migrateBegin: (domain, params, flags, context) => stepsFor(flags).begin(driver, domain, params, flags, context),
		migratePerform: async (domain, { peer, ...request }, flags, context) => {
			checkPeer(peer, request.cookie, flags);
			if (peer === undefined) return await stepsFor(flags).perform(driver, domain, request, flags, context);
			await migrateToPeer(driver, domain, peer, request.params, flags, context);
			return { cookie: new Uint8Array() };
		},
		migrateConfirm: (domain, cancelled, flags) => stepsFor(flags).confirm(driver, domain, cancelled, flags),
	};
}

export function incomingOperations(
	driver: Driver,
): Required<Pick<DomainCollection<QemuDomain>, "migratePrepare" | "migrateFinish">> {
	return {
		migratePrepare: (request, flags, context) => stepsFor(flags).prepare(driver, request, flags, context),
		migrateFinish: (request, flags, context) => stepsFor(flags).finish(driver, request, flags, context),
	};
}
