// Makes a device of a client's document one that the guest can have: completed, checked, with an id and a place.

import { VirtError } from "@virtkit/base/errors";
import { isUserAlias } from "@virtkit/model/domain/alias";
import type { DeviceInfo } from "@virtkit/model/domain/device-common";
import { memberOf } from "@virtkit/model/domain/device-document";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { assignPlugAddress } from "../addresses/plug.ts";
import { checkDevice } from "../defaults/check.ts";
import type { DefineContext, LiveContext } from "../devices/entry.ts";
import { COMPLETED } from "../devices/registry.ts";
import { type KnownPluggable, knownPluggable, type Pluggable, readPluggable, withDevice } from "./kinds.ts";

/** How a document is read. */
export interface ReadOptions {
	/** For messages: attach, detach, update. */
	readonly action: string;
	/** It is about the running guest. */
	readonly live: boolean;
	/** It may say what only a running guest's device has. */
	readonly liveDocument: boolean;
	/** Leave the checks out: it only names a device. */
	readonly unchecked?: boolean;
}

/** The device that `xml` spells, completed for the definition of `context`, which does not have it. */
export function readDevice(xml: string, context: DefineContext, options: ReadOptions): KnownPluggable {
	const found = readPluggable(xml, options.liveDocument);
	const { entry, device } = found;
	entry.hotplug?.read?.(device, context);
	entry.complete?.(device, context);
	if (!options.unchecked) checkDevice(device, entry, context);
	return knownPluggable(found, options.action, options.live);
}

/** Every alias in the definition. */
function aliasesOf(def: DomainDef): string[] {
	return COMPLETED.flatMap((entry) =>
		entry.list(def).flatMap((device) => (device as { readonly alias?: string }).alias ?? []),
	);
}

/** Throws where a device of the definition has the alias that the user chose for this one. */
export function refuseUsedAlias({ device }: Pluggable, def: DomainDef): void {
	const { alias } = device as { readonly alias?: string };
	if (alias !== undefined && isUserAlias(alias) && aliasesOf(def).includes(alias))
		throw new VirtError("CONFIG_UNSUPPORTED", `non unique alias detected: ${alias}`, { domain: "DOMAIN" });
}

/** An id that no device of the running guest has. */
function unusedAlias({ entry, device }: Pluggable, context: DefineContext): string {
	const taken = new Set(aliasesOf(context.def));
	const first = entry.alias(device, 0, context);
	// Ids that count within the kind go on after the highest there is, as libvirt's do.
	const prefix = first.replace(/0$/, "");
	const isCounted = entry.alias(device, 1, context) !== first;
	if (!isCounted) return first;
	const numbers = [...taken].flatMap((alias) =>
		alias.startsWith(prefix) && /^\d+$/.test(alias.slice(prefix.length)) ? Number(alias.slice(prefix.length)) : [],
	);
	return entry.alias(device, Math.max(-1, ...numbers) + 1, context);
}

/**
 * Settles all devices that are to be plugged in, in order: `device` and before it what it needs.
 *
 * Returns the definition that has them all; the guest's own is not changed.
 */
export function settlePlugs(found: KnownPluggable, context: LiveContext): { plugs: Pluggable[]; def: DomainDef } {
	const needed = found.hotplug.needs?.(found.device, context) ?? [];
	const plugs: Pluggable[] = [...needed.map((each) => ({ ...each, member: memberOf(each.entry.kind) })), found];
	let { def } = context;
	for (const plug of plugs) {
		const without = { ...context, def };
		def = withDevice(def, plug);
		assignPlugAddress(plug.entry, plug.device, without, { ...context, def });
		(plug.device as DeviceInfo).alias ??= unusedAlias(plug, without);
	}
	return { plugs, def };
}
