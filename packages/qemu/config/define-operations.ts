// Storing definitions and removing them, their names, and which of them start with the host.

import { existsSync, rmSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import { systemError } from "@virtkit/host/system-error";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { checkpoints } from "../checkpoint/metadata.ts";
import { Definition } from "../domain/definition.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { AutostartKind } from "../domain/store.ts";
import type { Driver } from "../driver-context.ts";
import { removeTpmState } from "../helpers/tpm-state.ts";
import { logFileOf } from "../lifecycle/guest-log.ts";
import { managedSaveFile } from "../save/managed-save.ts";
import { snapshots } from "../snapshot/metadata.ts";
import { readDefinition } from "./read-definition.ts";

/** VIR_DOMAIN_DEFINE_VALIDATE. */
const VALIDATE = 1;

/** virDomainUndefineFlagsValues. */
const UNDEFINE_FLAG = {
	managedSave: 1,
	snapshotsMetadata: 2,
	nvram: 4,
	keepNvram: 8,
	checkpointsMetadata: 16,
	tpm: 32,
	keepTpm: 64,
} as const;

/** Stores the definition that `xml` spells: of a new domain, or in place of what is stored of a known one. */
export async function defineDomain(
	driver: Driver,
	xml: string,
	flags: number,
	told?: "added" | "updated",
): Promise<QemuDomain> {
	const def = await readDefinition(driver, xml, (flags & VALIDATE) !== 0);
	const identity = { name: def.name, uuid: def.uuid ?? "" };
	const known = driver.domains.match(identity);
	const domain = known ?? driver.domains.add(identity);
	const detail = told ?? (known ? "updated" : "added");
	const definition = new Definition(def);
	domain.setConfig(definition);
	try {
		await driver.store.save(definition);
	} catch (error) {
		// What was stored before still is: it is read again when it is wanted.
		domain.setConfig(undefined);
		if (known === undefined && domain.run === undefined) driver.domains.remove(domain);
		throw error;
	}
	domain.persistent = true;
	domain.stored = false;
	driver.domains.keep(domain);
	driver.lifecycle(domain.ref, { event: "defined", detail });
	return domain;
}

/** Stores again what was stored before something that has failed since. */
export async function restoreStored(driver: Driver, domain: QemuDomain, definition: Definition): Promise<void> {
	await driver.store.save(definition);
	domain.setConfig(definition);
	domain.persistent = true;
	driver.domains.keep(domain);
	driver.lifecycle(domain.ref, { event: "defined", detail: "updated" });
}

async function undefine(driver: Driver, domain: QemuDomain, flags: number): Promise<void> {
	refuseContradictions(flags);
	if (!domain.persistent) throw new VirtError("OPERATION_INVALID", "cannot undefine transient domain");
	refuseMoments(driver, domain, flags);
	removeManagedSave(driver, domain, flags);
	removeNvram(domain, flags);
	if (domain.run === undefined) for (const kind of [snapshots, checkpoints]) kind.of(driver, domain).forgetAll();
	await removeStored(driver, domain, flags);
}

/** Forgets the stored definition, and the domain with it unless it runs. */
export async function removeStored(driver: Driver, domain: QemuDomain, flags = 0): Promise<void> {
	const who = domain.ref;
	await forgetStored(driver, domain, flags);
	driver.lifecycle(who, { event: "undefined", detail: "removed" });
}

/** The same, and nobody is told: libvirt tells nobody of what left together with its guest. */
export async function forgetStored(driver: Driver, domain: QemuDomain, flags = 0): Promise<void> {
	const running = domain.run !== undefined;
	const def = definitionOf(domain);
	if (!running) domain.removing = true;
	try {
		await driver.store.remove(domain.name);
	} catch (error) {
		domain.removing = false;
		throw error;
	}
	domain.autostart = false;
	domain.autostartOnce = false;
	domain.persistent = false;
	domain.setConfig(undefined);
	if (!running && def) removeTpmState(driver, domain.uuid, def, flags);
	if (!running) driver.domains.remove(domain);
}

function refuseContradictions(flags: number): void {
	if (flags & UNDEFINE_FLAG.nvram && flags & UNDEFINE_FLAG.keepNvram)
		throw new VirtError("OPERATION_INVALID", "cannot both keep and delete nvram");
	if (flags & UNDEFINE_FLAG.tpm && flags & UNDEFINE_FLAG.keepTpm)
		throw new VirtError("OPERATION_INVALID", "cannot both keep and delete TPM");
}

/** What is kept of snapshots and checkpoints goes only where the client says so. */
function refuseMoments(driver: Driver, domain: QemuDomain, flags: number): void {
	if (domain.run !== undefined) return;
	const kept = [
		["snapshots", UNDEFINE_FLAG.snapshotsMetadata, snapshots.of(driver, domain).size],
		["checkpoints", UNDEFINE_FLAG.checkpointsMetadata, checkpoints.of(driver, domain).size],
	] as const;
	for (const [noun, flag, size] of kept)
		if (size > 0 && !(flags & flag))
			throw new VirtError("OPERATION_INVALID", `cannot delete inactive domain with ${size} ${noun}`);
}

function removeManagedSave(driver: Driver, domain: QemuDomain, flags: number): void {
	const file = managedSaveFile(driver, domain.name);
	if (!existsSync(file)) return;
	if (!(flags & UNDEFINE_FLAG.managedSave))
		throw new VirtError("OPERATION_INVALID", "Refusing to undefine while domain managed save image exists");
	try {
		unlinkSync(file);
	} catch (cause) {
		throw new VirtError("INTERNAL_ERROR", "Failed to remove domain managed save image", { cause });
	}
}

function removeNvram(domain: QemuDomain, flags: number): void {
	const path = definitionOf(domain)?.os.nvram?.path;
	if (path === undefined || !existsSync(path)) return;
	if (flags & UNDEFINE_FLAG.nvram) {
		try {
			unlinkSync(path);
		} catch (error) {
			throw systemError(`failed to remove nvram: ${path}`, error);
		}
	} else if (!(flags & UNDEFINE_FLAG.keepNvram))
		throw new VirtError("OPERATION_INVALID", "cannot undefine domain with nvram");
}

/** A definition too broken to be read has nothing on the host that could be known. */
function definitionOf(domain: QemuDomain): DomainDef | undefined {
	try {
		return domain.config.def;
	} catch {
		return undefined;
	}
}

async function rename(driver: Driver, domain: QemuDomain, name: string): Promise<void> {
	refuseRename(driver, domain, name);
	const old = domain.ref;
	const def = domain.config.copy();
	def.name = name;
	const definition = new Definition(def);
	// The new name is taken from here on, so that nobody else gets it while the file is being written.
	driver.domains.rename(domain, name);
	try {
		await driver.store.rename(old.name, definition);
	} catch (error) {
		driver.domains.rename(domain, old.name);
		throw error;
	}
	domain.setConfig(definition);
	rmSync(logFileOf(driver, old.name), { force: true });
	driver.lifecycle(old, { event: "undefined", detail: "renamed" });
	driver.lifecycle(domain.ref, { event: "defined", detail: "renamed" });
}

function refuseRename(driver: Driver, domain: QemuDomain, name: string): void {
	if (!domain.persistent) throw new VirtError("OPERATION_INVALID", "cannot rename a transient domain");
	if (existsSync(managedSaveFile(driver, domain.name)))
		throw new VirtError("OPERATION_INVALID", "domain with a managed saved state can't be renamed");
	if (name === domain.name)
		throw new VirtError("OPERATION_INVALID", "Can't rename domain to itself", { domain: "DOMAIN" });
	if (name === "") throw new VirtError("INVALID_ARG", "the new name of a domain cannot be empty");
	if (driver.domains.byName(name))
		throw new VirtError("OPERATION_INVALID", `domain with name '${name}' already exists`, { domain: "DOMAIN" });
	if (name.includes("/") || name.includes("\n") || name === "." || name === "..")
		throw new VirtError("XML_ERROR", `name ${name} cannot contain '/'`);
	if (existsSync(join(driver.store.fileOf(name))))
		throw new VirtError("OPERATION_INVALID", `'${driver.store.fileOf(name)}' is in the way of the new name`);
}

function setAutostart(driver: Driver, domain: QemuDomain, kind: AutostartKind, on: boolean): void {
	if (!domain.persistent) throw new VirtError("OPERATION_INVALID", "cannot set autostart for transient domain");
	driver.store.setAutostart(domain.name, kind, on);
	if (kind === "always") domain.autostart = on;
	else domain.autostartOnce = on;
}

type DefineOperations = Pick<
	DomainOperations<QemuDomain>,
	"undefine" | "rename" | "associateFds" | "getAutostart" | "setAutostart" | "getAutostartOnce" | "setAutostartOnce"
>;

export function defineOperations(driver: Driver): DefineOperations {
	return {
		undefine: (domain, flags) => undefine(driver, domain, flags),
		rename: (domain, name) => rename(driver, domain, name),
		associateFds: (domain, name, fds, flags, context) => {
			if (fds.length === 0) throw new VirtError("INVALID_ARG", "nfds in virDomainFDAssociate must not be zero");
			domain.fdGroups.associate(name, fds, flags, context);
		},
		getAutostart: (domain) => domain.autostart,
		setAutostart: (domain, on) => setAutostart(driver, domain, "always", on),
		getAutostartOnce: (domain) => domain.autostartOnce,
		setAutostartOnce: (domain, on) => setAutostart(driver, domain, "once", on),
	};
}
