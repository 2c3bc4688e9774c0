// The <cputune> of a definition that is about to be changed.

import type { CputuneDef } from "@virtkit/model/domain/cputune";
import type { DomainDef } from "@virtkit/model/domain/domain";

/** The definition's own, made where it has none. */
export function cputuneOf(def: DomainDef): CputuneDef {
	def.cputune ??= {
		vcpupin: [],
		iothreadpin: [],
		vcpusched: [],
		iothreadsched: [],
		cachetune: [],
		memorytune: [],
		energytune: [],
	};
	return def.cputune;
}
