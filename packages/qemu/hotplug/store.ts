// Stores a definition whose devices were changed.

import type { DomainDef } from "@virtkit/model/domain/domain";
import { Definition } from "../domain/definition.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";

/** Makes `def` what is stored of the domain. What cannot be stored changes nothing. */
export async function storeDefinition(driver: Driver, domain: QemuDomain, def: DomainDef): Promise<void> {
	const definition = new Definition(def);
	await driver.store.save(definition);
	domain.setConfig(definition);
	driver.domains.keep(domain);
}
