// A domain written as a TypeScript object: as much of a definition as one cares to say, for the daemon to complete.

import { VirtError } from "@virtkit/base/errors";
import type { XmlElement } from "@virtkit/xml/node";
import { type DomainDef, formatDomain } from "./domain.ts";

/** Everything below may be left out; what is there has the definition's own type. */
type Partly<T> = T extends XmlElement | string | number | bigint | boolean | undefined
	? T
	: T extends readonly (infer E)[]
		? readonly Partly<E>[]
		: { readonly [K in keyof T]?: Partly<T[K]> };

/**
 * A definition of which only the hypervisor and the name must be said. Names and units are the document's: memory in KiB,
 * words as libvirt spells them, lists of elements as arrays (`devices.disks`).
 */
export type DomainLiteral = Partly<Omit<DomainDef, "type" | "name">> & Pick<DomainDef, "type" | "name">;

/**
 * The literal as libvirt's XML, passwords and all, without what only a running guest has.
 *
 * Throws INVALID_ARG where so much of an element is left out that it cannot be written.
 */
export function formatDomainLiteral(literal: DomainLiteral): string {
	// The formatter leaves out what is not there; what the document's rules ask for, the daemon refuses or adds.
	const def = { ...(literal as DomainDef), id: undefined };
	try {
		return formatDomain(def, { inactive: true, secure: true });
	} catch (cause) {
		if (!(cause instanceof TypeError)) throw cause;
		const message = `the definition of '${literal.name}' has an element that lacks too much to be written: ${cause.message}`;
		throw new VirtError("INVALID_ARG", message, { cause });
	}
}
