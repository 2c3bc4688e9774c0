// All domains of the driver, as front-ends find, list, define and create them.

import { existsSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import type { DomainCollection } from "@virtkit/core/domain-operations";
import { type DomainDef, formatDomain } from "@virtkit/model/domain/domain";
import { checkpoints } from "../checkpoint/metadata.ts";
import { domainToNative, explainDomain } from "../command-line/native.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import type { DriverHost } from "../driver-host.ts";
import { nativeToDomain } from "../from-native/native-to-domain.ts";
import { createDomain } from "../lifecycle/start-operations.ts";
import { incomingOperations } from "../migration/operations.ts";
import { managedSaveFile } from "../save/managed-save.ts";
import { saveImageOperations } from "../save/operations.ts";
import { snapshots } from "../snapshot/metadata.ts";
import { defineDomain } from "./define-operations.ts";
import { readDefinition } from "./read-definition.ts";

/** Formats of a definition as a command line: libvirt's name of QEMU's, and ours with the origin of each option. */
const NATIVE_FORMATS: Readonly<Record<string, (def: DomainDef, host: DriverHost) => string>> = {
	"qemu-argv": domainToNative,
	"virtkit-explain": explainDomain,
};

export function domainCollection(driver: Driver): DomainCollection<QemuDomain> {
	const { domains } = driver;
	return {
		all: () => domains.all(),
		byUuid: (uuid) => domains.byUuid(uuid),
		byName: (name) => domains.byName(name),
		byId: (id) => domains.byId(id),
		define: (xml, flags) => defineDomain(driver, xml, flags),
		create: (xml, flags, context) => createDomain(driver, xml, flags, context),
		...saveImageOperations(driver),
		...incomingOperations(driver),
		xmlToNative: (format, xml) => toNative(driver, format, xml),
		xmlFromNative: (format, native) => fromNative(driver, format, native),
		hasManagedSave: (domain) => existsSync(managedSaveFile(driver, domain.name)),
		hasCheckpoints: (domain) => checkpoints.of(driver, domain).size > 0,
		hasSnapshots: (domain) => snapshots.of(driver, domain).size > 0,
	};
}

async function fromNative(driver: Driver, format: string, native: string): Promise<string> {
	if (format !== "qemu-argv") throw new VirtError("INVALID_ARG", `unsupported config type ${format}`);
	const def = await driver.host.withEmulators(() => nativeToDomain(native, driver.host));
	return formatDomain(def, { inactive: true });
}

async function toNative(driver: Driver, format: string, xml: string): Promise<string> {
	const render = Object.hasOwn(NATIVE_FORMATS, format) ? NATIVE_FORMATS[format] : undefined;
	if (!render) throw new VirtError("INVALID_ARG", `unsupported config type ${format}`);
	const def = await readDefinition(driver, xml, false);
	return driver.host.withEmulators(() => render(def, driver.host));
}
