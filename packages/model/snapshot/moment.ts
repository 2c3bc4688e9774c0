// What snapshots and checkpoints of a domain have in common: a name, a time, a place in a tree, the domain as it was.

import { integer, nonEmpty } from "@virtkit/xml/codec";
import { childNamed, textOf, type XmlElement, xmlElement } from "@virtkit/xml/node";
import { child, element, leaf } from "@virtkit/xml/schema";
import { domain } from "../domain/domain.ts";

const parent = element({ name: leaf(nonEmpty, { doc: "Name of the moment that this one follows." }) });

/** Fields that open the document of a moment; those of its kind follow, then `momentDomain`. */
export const momentHead = {
	name: leaf(nonEmpty, { required: true, doc: "Name, unique in the domain; its time where absent." }),
	description: leaf(nonEmpty, { doc: "What it is for, for people." }),
} as const;

export const momentPlace = {
	parent: child(parent, { doc: "The moment that this one follows." }),
	creationTime: leaf(integer(), { doc: "When it was, in seconds since 1970." }),
} as const;

export const momentDomain = child(domain, { name: "domain", doc: "The domain as it was." });

/** A moment of a domain, of whatever kind. */
export interface MomentDef {
	name: string;
	parent?: { name?: string | undefined } | undefined;
	creationTime?: number | undefined;
}

/** `document` without those child elements that `drop` says. */
export function withoutChildren(document: XmlElement, drop: (child: XmlElement) => boolean): XmlElement {
	const children = document.children.filter((one) => typeof one === "string" || !drop(one));
	return children.length === document.children.length ? document : { ...document, children };
}

/** `document` with the name that a moment gets which is not given one: its time. */
export function withName(document: XmlElement, name: string): XmlElement {
	const given = childNamed(document, "name");
	if (given && textOf(given) !== "") return document;
	const { children } = withoutChildren(document, (one) => one === given);
	return { ...document, children: [xmlElement("name", {}, [name]), ...children] };
}
