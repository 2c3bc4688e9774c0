// Completes a definition as libvirt does when it is defined: defaults, implied devices, addresses, then the checks.

import { VirtError } from "@virtkit/base/errors";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { fillIOThreads } from "@virtkit/model/domain/iothreads";
import { atElement } from "@virtkit/xml/read";
import { assignAddresses } from "../addresses/assign.ts";
import type { DefineContext } from "../devices/entry.ts";
import { ADDRESSED, type AnyEntry, COMPLETED, DEFAULT_DEVICES, IMPLIED_DEVICES } from "../devices/registry.ts";
import type { DriverHost } from "../driver-host.ts";
import { completeBootOrder } from "./boot-order.ts";
import { checkDomain } from "./check.ts";
import { completeCpu, setDefaultCpu } from "./cpu.ts";
import { checkTseg, completeFeatures } from "./features.ts";
import { completeIdentity } from "./identity.ts";
import { canonicalizeMachine, nameMachine } from "./machine.ts";
import { completeMemory } from "./memory.ts";
import { fillNumaCells, placeNuma } from "./numa.ts";
import { completeLoader, completeNvram } from "./os.ts";
import { completeSeclabels } from "./seclabels.ts";
import { completeTimers } from "./timers.ts";
import { checkVcpuOrder, completeVcpus, countVcpus } from "./vcpus.ts";

/** How a definition is completed. */
export interface CompleteOptions {
	/** True for a new definition; false for one that was stored, saved or migrated, whose guest ABI must stay. */
	readonly fresh: boolean;
	/** Leave the checks out, for a definition that a former version accepted. */
	readonly unchecked?: boolean;
}

/**
 * Fills in all that `def` leaves open, in place, and checks that the guest can be had.
 *
 * Follows libvirt's order (virDomainDefPostParse, then virDomainDefValidate), since later steps build on earlier ones.
 * Throws VirtError with libvirt's code.
 */
export function completeDomain(def: DomainDef, host: DriverHost, options: CompleteOptions): DefineContext {
	// Of an error that names no place, the document's is told.
	return atElement(def, () => completeSteps(def, host, options));
}

function completeSteps(def: DomainDef, host: DriverHost, options: CompleteOptions): DefineContext {
	fillIOThreads(def);
	atElement(def.cputune ?? def, () => countVcpus(def));
	atElement(def.numatune ?? def, () => placeNuma(def));
	completeIdentity(def, host);
	const context = contextOf(def, host, options.fresh);
	completeSeclabels(context);
	completeDriverDefaults(context);
	for (const entry of COMPLETED) completeDevices(entry, context);
	completeCommon(context);
	assignAddresses(context);
	for (const step of ADDRESSED) step(context);
	if (!options.unchecked) checkDomain(context);
	return context;
}

/** The context of a definition whose emulator stands. */
export function contextOf(def: DomainDef, host: DriverHost, fresh: boolean): DefineContext {
	const { emulator } = def.devices;
	if (emulator === undefined)
		throw new VirtError("CONFIG_UNSUPPORTED", `No emulator found for arch '${def.os.type.arch}'`);
	return { def, host, settings: host.settings, caps: host.emulatorAt(emulator), fresh };
}

function completeDevices(entry: AnyEntry, context: DefineContext): void {
	for (const device of entry.list(context.def)) atElement(device, () => entry.complete?.(device, context));
}

/** What the QEMU driver gives every guest (qemuDomainDefPostParse). */
function completeDriverDefaults(context: DefineContext): void {
	nameMachine(context);
	completeNvram(context);
	for (const step of DEFAULT_DEVICES) step(context);
	canonicalizeMachine(context);
	setDefaultCpu(context);
	completeFeatures(context);
	checkVcpuOrder(context);
	atElement(context.def.cpu ?? context.def, () => completeCpu(context));
	atElement(context.def.features ?? context.def, () => checkTseg(context));
	fillNumaCells(context);
}

/** What follows for any hypervisor (virDomainDefPostParseCommon). */
function completeCommon(context: DefineContext): void {
	completeVcpus(context);
	completeMemory(context);
	atElement(context.def.os, () => {
		completeLoader(context);
		completeBootOrder(context);
	});
	completeTimers(context);
	for (const step of IMPLIED_DEVICES) step(context);
}
