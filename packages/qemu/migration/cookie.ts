// What the two daemons of a migration tell each other through the client: libvirt's <qemu-migration> document.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { VirtError } from "@virtkit/base/errors";
import { childNamed, textOf, xmlElement } from "@virtkit/xml/node";
import { parseXml } from "@virtkit/xml/parse";
import { writeXml } from "@virtkit/xml/write";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";

/** A UUID of this instance: two daemons on one machine are two hosts to each other. */
function hostUuid({ paths }: Driver): string {
	let machine = "";
	try {
		machine = readFileSync("/etc/machine-id", "latin1").trim();
	} catch {
		machine = hostname();
	}
	const hex = createHash("sha256").update(`${machine} ${paths.lib}`).digest("hex");
	return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/**
 * The cookie for the other side; libvirt ends it with a NUL byte. `name` is the domain's on its source, `persistent` the
 * definition that the destination is to store.
 */
export function encodeCookie(driver: Driver, domain: QemuDomain, name = domain.name, persistent?: string): Uint8Array {
	const text = (element: string, value: string) => xmlElement(element, {}, [value]);
	const cookie = xmlElement("qemu-migration", {}, [
		text("name", name),
		text("uuid", domain.uuid),
		text("hostname", hostname()),
		text("hostuuid", hostUuid(driver)),
		...(persistent === undefined ? [] : [parseXml(persistent, "domain_definition")]),
	]);
	return new TextEncoder().encode(`${writeXml(cookie)}\0`);
}

/** What a cookie says. */
export interface Cookie {
	readonly name: string;
	readonly uuid: string;
	/** The definition to store. */
	readonly persistent?: string;
}

/** Reads the other side's cookie; undefined where it sent none. Throws INTERNAL_ERROR where it is none of another host's. */
export function decodeCookie(driver: Driver, bytes: Uint8Array): Cookie | undefined {
	if (bytes.length === 0) return undefined;
	const text = new TextDecoder().decode(bytes).replace(/\0$/, "");
	const root = parseXml(text, "qemu_migration_cookie");
	const read = (name: string): string => {
		const element = childNamed(root, name);
		if (element === undefined) throw new VirtError("INTERNAL_ERROR", `missing ${name} element in migration data`);
		return textOf(element);
	};
	if (read("hostuuid") === hostUuid(driver))
		throw new VirtError("INTERNAL_ERROR", `Attempt to migrate guest to the same host ${read("hostname")}`);
	const stored = childNamed(root, "domain");
	return { name: read("name"), uuid: read("uuid"), ...(stored ? { persistent: writeXml(stored) } : {}) };
}
