// The definition inside a saved image: what is written for it, read from it, and may be put in its place.

import { type DomainDef, parseDomain } from "@virtkit/model/domain/domain";
import { completeDomain } from "../defaults/complete.ts";
import { Definition } from "../domain/definition.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { checkGuestAbi } from "./guest-abi.ts";

/** How definitions stand in images: all that another daemon needs to start the guest, and nothing of this run. */
const IN_IMAGE = { inactive: true, secure: true, migratable: true } as const;

/** What is kept beside the definition. libvirt wants it there; a guest whose CPU is as defined has nothing to say in it. */
export const EMPTY_COOKIE = "<cookie>\n</cookie>\n";

/** The text for an image of the run; `xml` stands in for the run's definition where the guest sees no difference. */
export async function textForImage(driver: Driver, run: Run, xml: string | undefined): Promise<string> {
	if (xml === undefined) return formatAsWanted(run);
	const def = await readDefinition(driver, xml);
	checkGuestAbi(run.live.def, def);
	return new Definition(def).format(IN_IMAGE);
}

/** The complete definition that a saved text spells. Its guest ABI stays as it is. */
export async function readDefinition(driver: Driver, xml: string): Promise<DomainDef> {
	return driver.host.withEmulators(() => {
		const def = parseDomain(xml);
		completeDomain(def, driver.host, { fresh: false, unchecked: true });
		return def;
	});
}

/** The definition that `xml` spells, in place of `saved`. Throws CONFIG_UNSUPPORTED where the guest would see a difference. */
export async function replaceDefinition(driver: Driver, saved: DomainDef, xml: string): Promise<DomainDef> {
	const def = await readDefinition(driver, xml);
	checkGuestAbi(saved, def);
	return def;
}

/**
 * The text of the running guest's definition for an image, with the memory that its user wants it to have: what the
 * memory balancer holds of it is this host's affair.
 */
export function formatAsWanted({ live, wantedMemory }: Run): string {
	const wanted = wantedMemory ?? live.def.currentMemory;
	if (wanted === live.def.currentMemory) return live.format(IN_IMAGE);
	return formatForImage({ ...live.def, currentMemory: wanted });
}

/** The text of a definition for an image. */
export const formatForImage = (def: DomainDef): string => new Definition(def).format(IN_IMAGE);
