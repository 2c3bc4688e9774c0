// A client's document as a complete definition that this host can run.

import { type DomainDef, parseDomain } from "@virtkit/model/domain/domain";
import { completeDomain } from "../defaults/complete.ts";
import type { Driver } from "../driver-context.ts";

/** The definition that `xml` spells, completed and checked. With `strict`, what no schema declares is refused. */
export function readDefinition(driver: Driver, xml: string, strict: boolean): Promise<DomainDef> {
	return driver.host.withEmulators(() => {
		const def = parseDomain(xml, { strict });
		completeDomain(def, driver.host, { fresh: true });
		return def;
	});
}
