// A document that holds one device, as attach-device and its kin take it.

import { VirtError } from "@virtkit/base/errors";
import { parseXml } from "@virtkit/xml/parse";
import { type ReadContext, readElement } from "@virtkit/xml/read";
import type { Field, Schema } from "@virtkit/xml/schema";
import { type DevicesDef, devices } from "./devices.ts";

/** Where a definition keeps devices of a kind. */
export type DeviceMember = keyof DevicesDef;

export interface DeviceDocument {
	/** The element's name: `disk`, `interface`, … */
	readonly kind: string;
	readonly member: DeviceMember;
	readonly device: object;
}

interface Place {
	readonly member: DeviceMember;
	readonly schema: Schema<object>;
}

/** Where devices of each element's name belong. */
const PLACES: ReadonlyMap<string, Place> = new Map(
	Object.entries(devices.fields as Record<string, Field>).flatMap(([member, field]) =>
		field.kind === "list" || field.kind === "child"
			? [[field.name ?? member, { member: member as DeviceMember, schema: field.schema as Schema<object> }]]
			: [],
	),
);

/** The member of a definition's devices that holds those of the element's name. */
export function memberOf(kind: string): DeviceMember {
	const place = PLACES.get(kind);
	if (place === undefined) throw new VirtError("INTERNAL_ERROR", `no definition has devices of kind '${kind}'`);
	return place.member;
}

/** The device that `text` spells. Throws XML_ERROR and the like, CONFIG_UNSUPPORTED for a kind that there is none of. */
export function parseDevice(text: string, context: ReadContext): DeviceDocument {
	const root = parseXml(text, "device definition");
	const place = PLACES.get(root.name);
	if (place === undefined)
		throw new VirtError("CONFIG_UNSUPPORTED", `unknown device type '${root.name}'`, { domain: "DOMAIN" });
	return { kind: root.name, member: place.member, device: readElement(place.schema, root, context) };
}

/** The definition's devices of that member; one where there can only be one. */
export function devicesOf(all: DevicesDef, member: DeviceMember): object[] {
	const held: unknown = all[member];
	if (Array.isArray(held)) return held as object[];
	return typeof held === "object" && held !== null ? [held] : [];
}

/** `all` with other devices of that member. */
export function withDevices(all: DevicesDef, member: DeviceMember, held: readonly object[]): DevicesDef {
	if (Array.isArray(all[member])) return { ...all, [member]: held };
	const { [member]: _, ...rest } = all;
	return { ...rest, ...(held[0] === undefined ? {} : { [member]: held[0] }) } as DevicesDef;
}
