// What the two daemons of a migration tell each other through the client: libvirt's <qemu-migration> document.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { VirtError } from "@virtkit/base/errors";
import type { TypedParam } from "@virtkit/core/typed-params";
import { childNamed, elementsOf, textOf, type XmlElement, xmlElement } from "@virtkit/xml/node";
import { parseXml } from "@virtkit/xml/parse";
import { writeXml } from "@virtkit/xml/write";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { arrivedParams, statisticsElement } from "./cookie-statistics.ts";

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

/** What a cookie may carry. */
export interface CookieParts {
	/** The domain's name on its source, where it has another one here. */
	readonly name?: string;
	/** The definition that the destination is to store. */
	readonly persistent?: string | undefined;
	/** Of the source's job, once it is done. */
	readonly statistics?: readonly TypedParam[] | undefined;
	readonly nbd?: CopiedDisks | undefined;
}

/** Disks that are copied. */
export interface CopiedDisks {
	/** Where the destination takes them. */
	readonly port?: number | undefined;
	/** Bytes, by target. */
	readonly capacities: ReadonlyMap<string, bigint>;
}

function nbdElement({ port, capacities }: CopiedDisks): XmlElement {
	const disks = [...capacities].map(([target, bytes]) => xmlElement("disk", { target, capacity: String(bytes) }));
	return xmlElement("nbd", port === undefined ? {} : { port: String(port) }, disks);
}

function readNbd(element: XmlElement): CopiedDisks {
	const { port } = element.attributes;
	const disks = elementsOf(element).filter(({ name }) => name === "disk");
	const capacities = disks.map(({ attributes: { target = "", capacity = "" } }): [string, bigint] => {
		if (!/^\d+$/.test(capacity))
			throw new VirtError("INTERNAL_ERROR", `Malformed nbd port or disk capacity '${capacity}' in migration data`);
		return [target, BigInt(capacity)];
	});
	return { capacities: new Map(capacities), ...(port === undefined ? {} : { port: Number(port) }) };
}

/** The cookie for the other side; libvirt ends it with a NUL byte. */
export function encodeCookie(driver: Driver, domain: QemuDomain, parts: CookieParts = {}): Uint8Array {
	const { name = domain.name, persistent, statistics, nbd } = parts;
	const text = (element: string, value: string) => xmlElement(element, {}, [value]);
	const cookie = xmlElement("qemu-migration", {}, [
		text("name", name),
		text("uuid", domain.uuid),
		text("hostname", hostname()),
		text("hostuuid", hostUuid(driver)),
		...(persistent === undefined ? [] : [parseXml(persistent, "domain_definition")]),
		...(nbd === undefined ? [] : [nbdElement(nbd)]),
		...(statistics === undefined ? [] : [statisticsElement(statistics)]),
	]);
	return new TextEncoder().encode(`${writeXml(cookie)}\0`);
}

/** What a cookie says. */
export interface Cookie {
	readonly name: string;
	readonly uuid: string;
	/** The definition to store. */
	readonly persistent?: string;
	/** Of the source's job, as it counts here. */
	readonly statistics?: readonly TypedParam[];
	readonly nbd?: CopiedDisks;
}

/** Features that the other side may insist on (libvirt's names): what they concern is part of every definition here. */
const FEATURES: ReadonlySet<string> = new Set(["lockstate", "persistent", "memory-hotplug", "cpu-hotplug"]);
/** libvirt's name for a host that locks no disks. */
const NO_LOCKS = "nop";

function checkFeatures(root: XmlElement): void {
	for (const { name, attributes } of elementsOf(root)) {
		if (name !== "feature") continue;
		const feature = attributes.name ?? "";
		if (!FEATURES.has(feature))
			throw new VirtError("INTERNAL_ERROR", `Unsupported migration cookie feature ${feature}`);
	}
	const { driver = NO_LOCKS } = childNamed(root, "lockstate")?.attributes ?? {};
	if (driver !== NO_LOCKS)
		throw new VirtError("OPERATION_FAILED", `Source host lock driver ${driver} different from target ${NO_LOCKS}`);
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
	checkFeatures(root);
	const [stored, statistics, nbd] = ["domain", "statistics", "nbd"].map((each) => childNamed(root, each));
	return {
		name: read("name"),
		uuid: read("uuid"),
		...(stored ? { persistent: writeXml(stored) } : {}),
		...(nbd ? { nbd: readNbd(nbd) } : {}),
		...(statistics ? { statistics: arrivedParams(statistics) } : {}),
	};
}
