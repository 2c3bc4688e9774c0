// Notes in a definition: title, description, and what applications keep there, each in a namespace of its own.

import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { elementsOf, type XmlElement, xmlElement } from "@virtkit/xml/node";
import { parseXml } from "@virtkit/xml/parse";
import { writeForeignXml } from "@virtkit/xml/write";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { changeConfig, changeLive, impactOf, oneDefinition } from "./impact.ts";

/** virDomainMetadataType. */
const TYPES = ["description", "title", "element"] as const;
type MetadataType = (typeof TYPES)[number];

/** A name without a colon (Namespaces in XML 1.0, NCName), as far as prefixes go. */
const PREFIX = /^[\p{L}_][\p{L}\p{N}\p{M}._·-]*$/u;

interface Metadata {
	readonly type: number;
	readonly value?: string;
	readonly key?: string;
	readonly uri?: string;
}

function typeOf(number: number): MetadataType {
	const type = TYPES[number];
	if (type === undefined) throw new VirtError("INVALID_ARG", `unknown metadata type '${number}'`, { domain: "DOMAIN" });
	return type;
}

const refuse = (message: string): never => {
	throw new VirtError("INVALID_ARG", message, { domain: "DOM" });
};

function getMetadata(domain: QemuDomain, number: number, uri: string | undefined, flags: number): string {
	const type = typeOf(number);
	const { def } = oneDefinition(domain, flags);
	const found = type === "element" ? readElement(def, uri) : def[type];
	if (found !== undefined) return found;
	throw new VirtError("NO_DOMAIN_METADATA", "Requested metadata element is not present", { domain: "DOMAIN" });
}

/** The element of that namespace as it was given: without its prefix and the declaration of it. */
function readElement(def: DomainDef, uri: string | undefined): string | undefined {
	const found = def.metadata && elementsOf(def.metadata).find((element) => element.uri === uri);
	return found && writeForeignXml(withoutNamespace(found, uri)).trimEnd();
}

function withoutNamespace(element: XmlElement, uri: string | undefined): XmlElement {
	const kept = Object.entries(element.attributes).filter(
		([name, value]) => !(value === uri && /^xmlns(?::|$)/.test(name)),
	);
	const own: XmlElement = {
		...element,
		attributes: Object.fromEntries(kept),
		children: element.children.map((child) => (typeof child === "string" ? child : withoutNamespace(child, uri))),
	};
	return element.uri === uri ? { ...own, name: element.local } : own;
}

/** What a call for one type may give (virDomainSetMetadata). */
function checkMetadata(type: MetadataType, { value, key, uri }: Metadata): void {
	if (type === "element") {
		if (uri === undefined) refuse("uri in virDomainSetMetadata must not be NULL");
		if (value !== undefined && key === undefined) refuse("key in virDomainSetMetadata must not be NULL");
		return;
	}
	if (type === "title" && value?.includes("\n")) refuse("metadata title can't contain newlines");
	if (uri !== undefined) refuse("uri in virDomainSetMetadata must be NULL");
	if (key !== undefined) refuse("key in virDomainSetMetadata must be NULL");
}

/** How the call changes a definition. Throws where what it gives is no XML. */
function changeOf(type: MetadataType, metadata: Metadata): (def: DomainDef) => void {
	const { value, key = "", uri = "" } = metadata;
	if (type !== "element")
		return (def) => {
			if (value) def[type] = value;
			else delete def[type];
		};
	const element = value === undefined ? undefined : parseElement(value, key, uri);
	return (def) => {
		if (def.metadata === undefined && element === undefined) return;
		const others = def.metadata?.children.filter((child) => typeof child === "string" || child.uri !== uri) ?? [];
		def.metadata = { ...(def.metadata ?? xmlElement("metadata")), children: element ? [...others, element] : others };
	};
}

/** The element with every element in no namespace put into that of `uri`, under the prefix `key`. */
function parseElement(text: string, key: string, uri: string): XmlElement {
	const root = parseXml(text, "(metadata_xml)");
	if (!PREFIX.test(key))
		throw new VirtError("INTERNAL_ERROR", "failed to validate prefix for a new XML namespace", { domain: "NONE" });
	const placed = intoNamespace(root, key, uri);
	return { ...placed, attributes: { [`xmlns:${key}`]: uri, ...placed.attributes } };
}

function intoNamespace(element: XmlElement, key: string, uri: string): XmlElement {
	const children = element.children.map((child) =>
		typeof child === "string" ? child : intoNamespace(child, key, uri),
	);
	if (element.uri !== undefined) return { ...element, children };
	return { ...element, name: `${key}:${element.local}`, uri, children };
}

async function setMetadata(driver: Driver, domain: QemuDomain, metadata: Metadata, flags: number): Promise<void> {
	const type = typeOf(metadata.type);
	checkMetadata(type, metadata);
	const { run, config } = impactOf(domain, flags);
	const change = changeOf(type, metadata);
	if (run) changeLive(driver, domain, run, change);
	if (config) await changeConfig(driver, domain, change);
	driver.emit("metadata-change", domain.ref, { type: metadata.type, uri: metadata.uri });
}

export const metadataOperations = (
	driver: Driver,
): Pick<DomainOperations<QemuDomain>, "getMetadata" | "setMetadata"> => ({
	getMetadata,
	setMetadata: (domain, metadata, flags) => setMetadata(driver, domain, metadata, flags),
});
