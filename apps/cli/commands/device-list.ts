// What commands read of the devices in a domain's definition.

import type { Domain } from "@virtkit/client/sdk/domain";
import { childNamed, elementsOf, type XmlElement } from "@virtkit/xml/node";

/** The parsed definition of a domain. */
export async function definitionOf(domain: Domain, options: Parameters<Domain["xml"]>[0] = {}): Promise<XmlElement> {
	const { parseXml } = await import("@virtkit/xml/parse");
	return parseXml(await domain.xml(options));
}

/** The devices of one kind in a definition. */
export function devicesOf(definition: XmlElement, kind: string): XmlElement[] {
	const devices = childNamed(definition, "devices");
	return devices ? elementsOf(devices).filter(({ name }) => name === kind) : [];
}
