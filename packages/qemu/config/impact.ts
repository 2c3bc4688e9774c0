// Which of a domain's definitions an operation is about: the running guest's, the stored one, or both; and how both are changed.

import { VirtError } from "@virtkit/base/errors";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { Definition } from "../domain/definition.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { saveStatus } from "../lifecycle/status-file.ts";

/** virDomainModificationImpact; 0 is the running guest where there is one, else the stored definition. */
export const AFFECT = { live: 1, config: 2 } as const;

const BOTH = AFFECT.live | AFFECT.config;

/** What an operation is about. */
export interface Impact {
	/** The running guest, where it is about that. */
	readonly run: Run | undefined;
	/** Whether it is about the stored definition. */
	readonly config: boolean;
}

/**
 * What these flags make an operation on `domain` be about.
 *
 * Throws OPERATION_INVALID for a running guest that is not there and for the stored definition of a transient domain.
 */
export function impactOf(domain: QemuDomain, flags: number): Impact {
	const { run } = domain;
	const asked = flags & BOTH || (run ? AFFECT.live : AFFECT.config);
	if (asked & AFFECT.live && run === undefined) throw new VirtError("OPERATION_INVALID", "domain is not running");
	if (asked & AFFECT.config && !domain.persistent)
		throw new VirtError("OPERATION_INVALID", "transient domains do not have any persistent config");
	return { run: asked & AFFECT.live ? run : undefined, config: (asked & AFFECT.config) !== 0 };
}

/** The one definition that a question is about, and the running guest where it is that guest's. Throws INVALID_ARG for both. */
export function oneDefinition(domain: QemuDomain, flags: number): { def: DomainDef; run: Run | undefined } {
	if ((flags & BOTH) === BOTH)
		throw new VirtError(
			"INVALID_ARG",
			"Flags 'VIR_DOMAIN_AFFECT_LIVE' and 'VIR_DOMAIN_AFFECT_CONFIG' are mutually exclusive",
			{ domain: "DOMAIN" },
		);
	const { run } = impactOf(domain, flags);
	return { def: (run?.live ?? domain.config).def, run };
}

/** Changes the running guest's definition, as whatever was done to the guest has it. */
export function changeLive(driver: Driver, domain: QemuDomain, run: Run, change: (def: DomainDef) => void): void {
	change(run.live.def);
	run.live.changed();
	saveStatus(driver, domain);
}

/** Changes the stored definition; when this settles the change is stored. What cannot be stored changes nothing. */
export async function changeConfig(
	driver: Driver,
	domain: QemuDomain,
	change: (def: DomainDef) => void,
): Promise<void> {
	const def = domain.config.copy();
	change(def);
	await storeDefinition(driver, domain, def);
}

/** Makes `def` what is stored of the domain. What cannot be stored changes nothing. */
export async function storeDefinition(driver: Driver, domain: QemuDomain, def: DomainDef): Promise<void> {
	const definition = new Definition(def);
	await driver.store.save(definition);
	domain.setConfig(definition);
	driver.domains.keep(domain);
}
