// Live migration, as operations of domains and of the connection.

import type { DomainCollection, DomainOperations } from "@virtkit/core/domain-operations";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { migrateFinish, migratePrepare } from "./destination.ts";
import { migrateBegin, migrateConfirm, migratePerform } from "./source.ts";

export function migrationOperations(
	driver: Driver,
): Pick<DomainOperations<QemuDomain>, "migrateBegin" | "migratePerform" | "migrateConfirm"> {
	return {
		migrateBegin: (domain, params, flags, context) => migrateBegin(driver, domain, params, flags, context),
		migratePerform: (domain, request, flags, context) => migratePerform(driver, domain, request, flags, context),
		migrateConfirm: (domain, cancelled, flags) => migrateConfirm(driver, domain, cancelled, flags),
	};
}

export function incomingOperations(
	driver: Driver,
): Required<Pick<DomainCollection<QemuDomain>, "migratePrepare" | "migrateFinish">> {
	return {
		migratePrepare: (request, flags, context) => migratePrepare(driver, request, flags, context),
		migrateFinish: (request, flags, context) => migrateFinish(driver, request, flags, context),
	};
}
