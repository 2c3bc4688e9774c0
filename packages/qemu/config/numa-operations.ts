// Which of the host's NUMA nodes the guest's memory comes from: as configured, and for the threads of a running guest.

import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import { param, type TypedParam } from "@virtkit/core/typed-params";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { someNumbers } from "@virtkit/model/domain/number-sets";
import { formatNumberSet, parseNumberSet } from "@virtkit/xml/bitmap";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { changeConfig, changeLive, impactOf, oneDefinition } from "./impact.ts";
import { readParameters } from "./read-parameters.ts";
import { threadGroups } from "./scheduler-operations.ts";

/** virDomainNumatuneMemMode. */
const MODES = ["strict", "preferred", "interleave", "restrictive"] as const;

interface Wish {
	readonly mode: (typeof MODES)[number] | undefined;
	readonly nodes: number[] | undefined;
}

function numaParameters(domain: QemuDomain, flags: number): TypedParam[] {
	const { mode = "strict", nodeset = [] } = oneDefinition(domain, flags).def.numatune?.memory ?? {};
	return [param.int("numa_mode", MODES.indexOf(mode)), param.string("numa_nodeset", formatNumberSet(nodeset))];
}

/** Throws INVALID_ARG for modes that there are not and malformed sets, OPERATION_INVALID for an empty one. */
function readWish(params: readonly TypedParam[]): Wish {
	const values = readParameters(params, { numa_mode: "int", numa_nodeset: "string" });
	const number = values.get("numa_mode");
	const mode = number === undefined ? undefined : MODES[Number(number)];
	if (number !== undefined && mode === undefined)
		throw new VirtError("INVALID_ARG", `unsupported numatune mode: '${number}'`);
	const text = values.get("numa_nodeset");
	return { mode, nodes: text === undefined ? undefined : readNodes(String(text)) };
}

function readNodes(text: string): number[] {
	if (parseNumberSet(text)?.length === 0)
		throw new VirtError("OPERATION_INVALID", `Invalid nodeset of 'numatune': ${text}`);
	const nodes = someNumbers.parse(text);
	if (nodes === undefined) throw new VirtError("INVALID_ARG", `Failed to parse bitmap '${text}'`);
	return nodes;
}

/** Throws CONFIG_UNSUPPORTED where nodes are to be named and are not (virDomainNumatuneSet). */
function keep(def: DomainDef, { mode, nodes }: Wish): void {
	if (mode === undefined && nodes === undefined) return;
	const memory = { mode: "strict" as const, ...def.numatune?.memory };
	const nodeset = nodes ?? memory.nodeset;
	const isStatic =
		nodes !== undefined || (memory.placement ?? (def.vcpu.placement === "auto" ? "auto" : "static")) !== "auto";
	if (isStatic && nodeset === undefined)
		throw new VirtError("CONFIG_UNSUPPORTED", "nodeset for NUMA memory tuning must be set if 'placement' is 'static'");
	def.numatune = {
		memnode: [],
		...def.numatune,
		memory: {
			mode: mode ?? memory.mode,
			placement: isStatic ? "static" : "auto",
			...(isStatic && nodeset ? { nodeset } : {}),
		},
	};
}

async function setNumaParameters(
	driver: Driver,
	domain: QemuDomain,
	params: readonly TypedParam[],
	flags: number,
): Promise<void> {
	const wish = readWish(params);
	const { run, config } = impactOf(domain, flags);
	if (run && checkLive(driver, run, wish)) {
		// Whatever the definition cannot take is refused before a thread moves.
		keep(run.live.copy(), wish);
		if (config) keep(domain.config.copy(), wish);
		if (wish.nodes) await moveThreads(driver, run, wish.nodes);
		changeLive(driver, domain, run, (def) => keep(def, wish));
	}
	if (config) await changeConfig(driver, domain, (def) => keep(def, wish));
}

/** Whether anything is to be done. Throws OPERATION_INVALID for what only a start can change. */
function checkLive(driver: Driver, run: Run, { mode, nodes }: Wish): boolean {
	if (driver.session) throw new VirtError("OPERATION_UNSUPPORTED", "NUMA tuning is not available in session mode");
	if (!run.cgroups?.guest.has("cpuset"))
		throw new VirtError("OPERATION_INVALID", "cgroup cpuset controller is not mounted");
	const { memory } = run.live.def.numatune ?? {};
	if (mode !== undefined && memory && memory.mode !== mode)
		throw new VirtError("OPERATION_INVALID", "can't change numatune mode for running domain");
	if (mode === "strict") {
		if (String(nodes) !== String(memory?.nodeset))
			throw new VirtError("OPERATION_INVALID", "can't change nodeset for strict mode for running domain");
		return false;
	}
	if (nodes && memory && memory.mode !== "restrictive")
		throw new VirtError("OPERATION_INVALID", "change of nodeset for running domain requires restrictive numa mode");
	return true;
}

/** New memory of all threads comes from these nodes; QEMU's own binding of the guest's memory, if any, stays. */
async function moveThreads(driver: Driver, run: Run, nodes: readonly number[]): Promise<void> {
	const missing = nodes.find((node) => !driver.host.numaNodes.includes(node));
	if (missing !== undefined) throw new VirtError("CONFIG_UNSUPPORTED", `NUMA node ${missing} is unavailable`);
	for (const scope of ["emulator", "vcpu", "iothread"] as const)
		for (const [name, tids] of threadGroups(run, scope)) {
			const group = run.cgroups?.thread(name);
			group?.setCpuset("mems", nodes);
			for (const tid of tids) await group?.addThread(tid);
		}
}

export const numaOperations = (
	driver: Driver,
): Pick<DomainOperations<QemuDomain>, "numaParameters" | "setNumaParameters"> => ({
	numaParameters,
	setNumaParameters: (domain, params, flags) => setNumaParameters(driver, domain, params, flags),
});
