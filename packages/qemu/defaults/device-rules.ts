// Rules that concern several devices at once: names and places that may be used only once.

import type { DriveAddress } from "@virtkit/model/domain/address";
import { isUserAlias } from "@virtkit/model/domain/alias";
import type { DiskDef } from "@virtkit/model/domain/disk";
import { sourcePath } from "@virtkit/model/domain/disk-source";
import type { DefineContext } from "../devices/entry.ts";
import type { DomainRule } from "./domain-rule.ts";

/** The first two members that have the same key; members without one do not count. */
function findTwins<T>(members: readonly T[], keyOf: (member: T) => string | undefined): [T, T] | undefined {
	const seen = new Map<string, T>();
	for (const member of members) {
		const key = keyOf(member);
		if (key === undefined) continue;
		const first = seen.get(key);
		if (first !== undefined) return [first, member];
		seen.set(key, member);
	}
	return undefined;
}

const disks = ({ def }: DefineContext): readonly DiskDef[] => def.devices.disks;

function drivePlace({ controller, bus, target, unit }: DriveAddress): string {
	return `controller='${controller}' bus='${bus}' target='${target}' unit='${unit}'`;
}

const diskPlace = ({ address, target }: DiskDef): string | undefined =>
	address?.type === "drive" ? `${target.bus} ${drivePlace(address)}` : undefined;

const sameTarget = (context: DefineContext) => findTwins(disks(context), ({ target }) => target.dev);
const sameDrive = (context: DefineContext) => findTwins(disks(context), diskPlace);

/** Places of SCSI devices of the host. */
function scsiHostPlaces({ def }: DefineContext): string[] {
	return def.devices.hostdevs.flatMap(({ type, address }) =>
		type === "scsi" && address?.type === "drive" ? [drivePlace(address)] : [],
	);
}

function scsiHostConflict(context: DefineContext): string | undefined {
	const places = scsiHostPlaces(context);
	const twice = findTwins(places, (place) => place);
	if (twice) return `SCSI host address ${twice[0]} in use by another SCSI host device`;
	const taken = disks(context).flatMap(({ target, address }) =>
		target.bus === "scsi" && address?.type === "drive" ? [drivePlace(address)] : [],
	);
	const shared = places.find((place) => taken.includes(place));
	return shared && `SCSI host address ${shared} in use by another SCSI disk`;
}

function* aliasesOf({ def }: DefineContext): Generator<string> {
	const consoles = def.devices.consoles;
	for (const part of Object.values(def.devices))
		for (const device of Array.isArray(part) ? part : [part]) {
			const { alias } = (device ?? {}) as { readonly alias?: string };
			// The first console may be the first serial port under another name.
			const isCopy = device === consoles[0] && consoles[0]?.target.type === "serial";
			if (isUserAlias(alias) && alias !== undefined && !isCopy) yield alias;
		}
}

/** The rules, in libvirt's order (virDomainDefValidateInternal). */
export const DEVICE_RULES: readonly DomainRule[] = [
	{
		code: "XML_ERROR",
		at: (context) => sameTarget(context)?.[1],
		broken: (context) => {
			const twins = sameTarget(context);
			const path = ({ source }: DiskDef): string => sourcePath(source) ?? "(null)";
			return (
				twins &&
				`target '${twins[0].target.dev}' duplicated for disk sources '${path(twins[0])}' and '${path(twins[1])}'`
			);
		},
	},
	{
		code: "CONFIG_UNSUPPORTED",
		at: (context) => sameDrive(context)?.[1],
		broken: (context) => {
			const [first] = sameDrive(context) ?? [];
			return first?.address?.type === "drive"
				? `Found duplicate drive address for disk with target name '${first.target.dev}' ${drivePlace(first.address)}`
				: undefined;
		},
	},
	{ code: "CONFIG_UNSUPPORTED", broken: scsiHostConflict },
	{
		code: "CONFIG_UNSUPPORTED",
		broken: (context) => {
			const twins = findTwins([...aliasesOf(context)], (alias) => alias);
			return twins && `non unique alias detected: ${twins[0]}`;
		},
	},
	{
		code: "CONFIG_UNSUPPORTED",
		broken: ({ def }) => {
			const virtiofs = def.devices.filesystems.filter(({ driver }) => driver?.type === "virtiofs");
			const twins = findTwins(virtiofs, ({ target }) => target?.dir);
			return twins && `filesystem target '${twins[0].target?.dir}' specified twice`;
		},
	},
];
