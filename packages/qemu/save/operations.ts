// Saving and dumping, as operations of domains.

import { existsSync } from "node:fs";
import type { DomainCollection, DomainOperations } from "@virtkit/core/domain-operations";
import { checkFlags } from "@virtkit/core/invoke";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { coreDump } from "./core-dump.ts";
import { abortJob, jobStats } from "./job-operations.ts";
import { existingManagedSave, managedSave, managedSaveFile, removeManagedSave } from "./managed-save.ts";
import { restoreDomain } from "./restore.ts";
import { checkSaveFlags, SAVE_FLAG, saveGuest } from "./save.ts";
import { defineSaveImageXml, saveImageXml } from "./save-image.ts";

type SaveOperations = Pick<
	DomainOperations<QemuDomain>,
	| "save"
	| "managedSave"
	| "hasManagedSave"
	| "removeManagedSave"
	| "managedSaveXml"
	| "defineManagedSaveXml"
	| "coreDump"
	| "jobStats"
	| "abortJob"
>;

export function saveOperations(driver: Driver): SaveOperations {
	return {
		save: async (domain, request, flags) => {
			checkSaveFlags(flags, "virDomainSaveFlags");
			// Without a path it is a managed save (virDomainSaveParams).
			if (request.path === "") return managedSave(driver, domain, flags, request.xml);
			return saveGuest(driver, domain, request, flags);
		},
		managedSave: (domain, flags) => managedSave(driver, domain, flags),
		hasManagedSave: ({ name }) => existsSync(managedSaveFile(driver, name)),
		removeManagedSave: (domain) => removeManagedSave(driver, domain),
		managedSaveXml: (domain, flags) => saveImageXml(driver, existingManagedSave(driver, domain), flags),
		defineManagedSaveXml: (domain, xml, flags) => {
			const path = existingManagedSave(driver, domain);
			checkFlags("virDomainManagedSaveDefineXML", flags, SAVE_FLAG.running | SAVE_FLAG.paused);
			return defineSaveImageXml(driver, path, xml, flags);
		},
		coreDump: (domain, request, flags) => coreDump(driver, domain, request, flags),
		jobStats,
		abortJob: (domain, flags) => abortJob(driver, domain, flags),
	};
}

/** Saved images, as operations of the connection. */
export function saveImageOperations(
	driver: Driver,
): Pick<DomainCollection<QemuDomain>, "restore" | "saveImageXml" | "defineSaveImageXml"> {
	return {
		restore: (request, flags, context) => restoreDomain(driver, request, flags, context),
		saveImageXml: (path, flags) => saveImageXml(driver, path, flags),
		defineSaveImageXml: (path, xml, flags) => defineSaveImageXml(driver, path, xml, flags),
	};
}
