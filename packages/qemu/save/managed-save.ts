// Managed saves: images that the driver keeps for its stored domains, from which their next start goes on.

import { existsSync } from "node:fs";
import { unlink } from "node:fs/promises";
import { join } from "node:path";
import { VirtError } from "@virtkit/base/errors";
import type { CallContext } from "@virtkit/core/domain-operations";
import { systemError } from "@virtkit/host/system-error";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { START_FLAG } from "../lifecycle/start-flags.ts";
import { readDefinition } from "./image-definition.ts";
import { isUnfinishedImage, openImage } from "./image-file.ts";
import { dropFromCache } from "./page-cache.ts";
import { restoreImage } from "./restore.ts";
import { checkSaveFlags, saveGuest } from "./save.ts";

/** Path of the image of the domain of that name. */
export const managedSaveFile = ({ paths }: Pick<Driver, "paths">, name: string): string =>
	join(paths.save, `${name}.save`);

/** Path of the domain's image. Throws OPERATION_INVALID where there is none. */
export function existingManagedSave(driver: Driver, { name }: QemuDomain): string {
	const path = managedSaveFile(driver, name);
	if (!existsSync(path)) throw new VirtError("OPERATION_INVALID", "domain does not have managed save image");
	return path;
}

/** Saves the guest into its managed image. */
export async function managedSave(driver: Driver, domain: QemuDomain, flags: number, xml?: string): Promise<void> {
	checkSaveFlags(flags, "virDomainManagedSave");
	if (!domain.persistent) throw new VirtError("OPERATION_INVALID", "cannot do managed save for transient domain");
	await saveGuest(driver, domain, { path: managedSaveFile(driver, domain.name), xml }, flags);
}

/** Throws away the domain's managed image. */
export async function removeManagedSave(driver: Driver, { name }: QemuDomain): Promise<void> {
	const path = managedSaveFile(driver, name);
	try {
		await unlink(path);
	} catch (error) {
		throw systemError(`Failed to remove managed save file '${path}'`, error);
	}
}

/**
 * Starts the domain from its managed image, which is removed when that has worked; one that was never finished is removed
 * instead. False where the domain is to be booted, since there was nothing to go on from. Start flags are virDomainCreateFlags.
 */
export async function restoreManagedSave(
	driver: Driver,
	domain: QemuDomain,
	flags: number,
	context?: CallContext,
): Promise<boolean> {
	const path = managedSaveFile(driver, domain.name);
	if (await isUnfinishedImage(path)) {
		driver.log.warn(`Ignoring incomplete managed state ${path}`);
		await unlink(path);
		return false;
	}
	await restore(driver, domain, path, flags, context);
	await unlink(path).catch((error) => driver.log.warn(`Failed to remove the managed state ${path}`, { error }));
	return true;
}

async function restore(
	driver: Driver,
	domain: QemuDomain,
	path: string,
	flags: number,
	context: CallContext | undefined,
): Promise<void> {
	await using image = await openImage(path);
	const def = await readDefinition(driver, image.texts.xml);
	if (def.name !== domain.name || def.uuid !== domain.uuid)
		throw new VirtError(
			"OPERATION_FAILED",
			`cannot restore domain '${domain.name}' uuid ${domain.uuid} from a file which belongs to domain '${def.name}' uuid ${def.uuid}`,
		);
	await restoreImage(driver, domain, image, def, {
		startPaused: (flags & START_FLAG.paused) !== 0,
		resetNvram: (flags & START_FLAG.resetNvram) !== 0,
		autodestroy: flags & START_FLAG.autodestroy ? context : undefined,
	});
	if (flags & START_FLAG.bypassCache) await dropFromCache(path);
}
