// Finds a device that can come and go by its id.

import type { DomainDef } from "@virtkit/model/domain/domain";
import { type KnownPluggable, pluggables } from "./kinds.ts";

/** The running guest's device of that id; undefined where it has none. */
export function findByAlias(def: DomainDef, alias: string): KnownPluggable | undefined {
	for (const found of pluggables(def)) if ((found.device as { readonly alias?: string }).alias === alias) return found;
	return undefined;
}
