// Looks at and changes the definition inside a saved image.

import { Definition } from "../domain/definition.ts";
import type { Driver } from "../driver-context.ts";
import { formatForImage, readDefinition, replaceDefinition } from "./image-definition.ts";
import { openImage } from "./image-file.ts";
import { encodeSaveImage } from "./image-format.ts";
import { checkSaveFlags, SAVE_FLAG } from "./save.ts";

/** VIR_DOMAIN_SAVE_IMAGE_XML_SECURE. */
const SECURE = 1;

/** The definition in the image, with its secrets where the flags ask for them. */
export async function saveImageXml(driver: Driver, path: string, flags: number): Promise<string> {
	await using image = await openImage(path);
	const def = await readDefinition(driver, image.texts.xml);
	return new Definition(def).format({ inactive: true, secure: (flags & SECURE) !== 0 });
}

/** Puts `xml` in the place of the image's definition, and decides whether the guest runs when it is restored. */
export async function defineSaveImageXml(driver: Driver, path: string, xml: string, flags: number): Promise<void> {
	checkSaveFlags(flags, "virDomainSaveImageDefineXML");
	await using image = await openImage(path, "write");
	const { header, texts } = image;
	const running = flags & SAVE_FLAG.running ? true : flags & SAVE_FLAG.paused ? false : header.running;
	if (texts.xml === xml && running === header.running) return;
	const def = await replaceDefinition(driver, await readDefinition(driver, texts.xml), xml);
	const head = encodeSaveImage({ ...header, running }, { ...texts, xml: formatForImage(def) }, header.dataLength);
	await image.file.write(head, 0, head.length, 0);
	await image.file.sync();
}
