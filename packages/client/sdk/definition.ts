// Definitions as the SDK takes and gives them: libvirt's XML, or a typed object. The model is loaded only by who uses it.

import type { DomainDef } from "@virtkit/model/domain/domain";
import type { DomainLiteral } from "@virtkit/model/domain/literal";

export type { DomainDef } from "@virtkit/model/domain/domain";
export type { DomainLiteral } from "@virtkit/model/domain/literal";

/** A domain document: libvirt's XML, or an object with as much of the definition as there is to say. */
export type DomainDocument = string | DomainLiteral;

/** The document as XML. Throws INVALID_ARG for an object that cannot be written. */
export async function xmlOf(document: DomainDocument): Promise<string> {
	if (typeof document === "string") return document;
	const { formatDomainLiteral } = await import("@virtkit/model/domain/literal");
	return formatDomainLiteral(document);
}

/** The definition that XML spells, typed. Throws XML_ERROR. */
export async function definitionOf(xml: string): Promise<DomainDef> {
	const { parseDomain } = await import("@virtkit/model/domain/domain");
	return parseDomain(xml);
}
