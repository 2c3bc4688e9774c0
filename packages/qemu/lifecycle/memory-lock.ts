// How much memory a guest's process may lock: all of it where devices of the host reach into it.

import { getResourceLimit, setResourceLimit } from "@virtkit/host/native";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { UNLIMITED_KIB } from "@virtkit/model/domain/memory";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";

/** Room for the registers of PCI devices of the host, KiB. */
const REGISTERS_KIB = 1024 * 1024;

/**
 * Bytes that the guest may lock, where it has to (qemuDomainGetMemLockLimitBytes) and a limit holds for it: none does for
 * root (CAP_IPC_LOCK).
 */
export function memlockLimit({ runAs }: Driver, def: DomainDef): number | "unlimited" | undefined {
	if ((runAs?.uid ?? process.geteuid?.()) === 0) return undefined;
	const { hostdevs, interfaces } = def.devices;
	const assigned =
		hostdevs.filter(({ type }) => type === "pci" || type === "mdev").length +
		interfaces.filter(({ type, hostKind }) => type === "vdpa" || hostKind === "pci").length;
	const locked = def.memoryBacking?.locked === true;
	if (!locked && assigned === 0) return undefined;
	const limit = def.memtune?.hard_limit;
	if (limit !== undefined && limit < UNLIMITED_KIB) return limit * 1024;
	if (locked) return "unlimited";
	const times = def.devices.iommu ? assigned : 1;
	return (times * (def.memory?.size ?? 0) + REGISTERS_KIB) * 1024;
}

/** Lets a running guest lock what `def` needs, where that is more than it may; returns how to undo that. */
export function raiseMemlock(driver: Driver, { process: qemu }: Run, def: DomainDef): (() => void) | undefined {
	const limit = memlockLimit(driver, def);
	if (qemu === undefined || limit === undefined) return undefined;
	const wanted = limit === "unlimited" ? undefined : BigInt(limit);
	const before = getResourceLimit(qemu.pid, "memlock");
	if (before.soft === undefined || (wanted !== undefined && before.soft >= wanted)) return undefined;
	setResourceLimit(qemu.pid, "memlock", { soft: wanted, hard: wanted });
	return () => setResourceLimit(qemu.pid, "memlock", before);
}
