// Between what limits a guest's balloon may be moved for others: what its user wants it to have, and what it always keeps.

import type { DomainDef } from "@virtkit/model/domain/domain";
import { elementsOf } from "@virtkit/xml/node";
import type { Run } from "../domain/run.ts";
import type { DriverSettings } from "../settings.ts";

/** Namespace of what a definition's metadata says to the policies: `<policy xmlns='…' floor='KiB'/>`. */
export const POLICY_NAMESPACE = "urn:virtkit:policy";

/** The share of what is wanted that a guest keeps where nothing else is declared, percent. */
const DEFAULT_FLOOR_PERCENT = 50;

/** What the guest is to have while nobody is short, KiB. */
export function wantedKib(run: Run): number {
	const { def } = run.live;
	return run.wantedMemory ?? def.currentMemory ?? def.memory?.size ?? 0;
}

/** What it always keeps, KiB: declared in its metadata, else a share of what is wanted (memory_floor_percent). */
export function floorKib(run: Run, { memoryFloorPercent = DEFAULT_FLOOR_PERCENT }: DriverSettings): number {
	const wanted = wantedKib(run);
	const declared = declaredFloor(run.live.def);
	return Math.min(wanted, declared ?? Math.ceil((wanted * memoryFloorPercent) / 100));
}

function declaredFloor({ metadata }: DomainDef): number | undefined {
	const policy = metadata && elementsOf(metadata).find(({ uri }) => uri === POLICY_NAMESPACE);
	const floor = Number(policy?.attributes.floor ?? Number.NaN);
	return Number.isSafeInteger(floor) && floor >= 0 ? floor : undefined;
}
