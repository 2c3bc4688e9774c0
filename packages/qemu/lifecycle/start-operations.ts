// Starting a stored domain, and creating one that lives only while it runs.

import { existsSync, unlinkSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import type { CallContext, DomainOperations } from "@virtkit/core/domain-operations";
import { systemError } from "@virtkit/host/system-error";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { readDefinition } from "../config/read-definition.ts";
import { completeDomain } from "../defaults/complete.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { managedSaveFile, restoreManagedSave } from "../save/managed-save.ts";
import { startRun } from "./start.ts";
import { START_FLAG } from "./start-flags.ts";

/** Starts a domain that does not run, from its managed save where it has one. */
export async function startDomain(
	driver: Driver,
	domain: QemuDomain,
	flags: number,
	context?: CallContext,
): Promise<void> {
	const saved = managedSaveFile(driver, domain.name);
	if (existsSync(saved)) {
		if (flags & START_FLAG.forceBoot) discardSaved(saved);
		else if (await restoreManagedSave(driver, domain, flags, context)) return;
	}
	await bootDomain(driver, domain, await definitionToRun(driver, domain), flags, context);
}

function discardSaved(file: string): void {
	try {
		unlinkSync(file);
	} catch (error) {
		throw systemError(`cannot remove managed save file ${file}`, error);
	}
}

/** A definition of the run's own, with everything that a former version of the driver did not fill in. */
export function definitionToRun(driver: Driver, domain: QemuDomain): Promise<DomainDef> {
	return driver.host.withEmulators(() => {
		const def = domain.config.copy();
		if (domain.stored) completeDomain(def, driver.host, { fresh: false });
		else driver.host.emulatorAt(def.devices.emulator ?? "");
		return def;
	});
}

async function bootDomain(
	driver: Driver,
	domain: QemuDomain,
	definition: DomainDef,
	flags: number,
	context: CallContext | undefined,
): Promise<void> {
	const paused = (flags & START_FLAG.paused) !== 0;
	if (flags & START_FLAG.autodestroy && context === undefined)
		throw new VirtError("INTERNAL_ERROR", "Domain autodestroy requires a connection handle");
	await startRun(driver, domain, {
		definition,
		paused: paused ? "user" : undefined,
		autodestroy: flags & START_FLAG.autodestroy ? context : undefined,
		resetNvram: (flags & START_FLAG.resetNvram) !== 0,
	});
	driver.lifecycle(domain.ref, { event: "started", detail: "booted" });
	// Who only looks at starts and stops hears of one, who looks at pauses of the other.
	if (paused) driver.lifecycle(domain.ref, { event: "suspended", detail: "paused" });
}

/** Starts the guest that `xml` defines; unless its domain is stored too, it is forgotten when it stops. */
export async function createDomain(
	driver: Driver,
	xml: string,
	flags: number,
	context: CallContext,
): Promise<QemuDomain> {
	const def = await readDefinition(driver, xml, (flags & START_FLAG.validate) !== 0);
	const known = driver.domains.match({ name: def.name, uuid: def.uuid ?? "" });
	if (known) refuseBusy(known);
	const domain = known ?? driver.domains.add({ name: def.name, uuid: def.uuid ?? "" });
	try {
		using _job = await domain.lock.beginAsync("start", "virDomainCreateXML", { signal: context.signal });
		if (domain.run) throw new VirtError("OPERATION_INVALID", "domain is already running");
		await bootDomain(driver, domain, def, flags, context);
	} catch (error) {
		if (!domain.persistent && domain.run === undefined) driver.domains.remove(domain);
		throw error;
	}
	return domain;
}

function refuseBusy(domain: QemuDomain): void {
	const options = { domain: "DOMAIN" } as const;
	if (domain.run) throw new VirtError("OPERATION_INVALID", `domain '${domain.name}' is already active`, options);
	if (!domain.persistent)
		throw new VirtError("OPERATION_INVALID", `domain '${domain.name}' is already being started`, options);
}

export function startOperations(driver: Driver): Pick<DomainOperations<QemuDomain>, "start"> {
	return {
		start: (domain, flags, context) => startDomain(driver, domain, flags, context),
	};
}
