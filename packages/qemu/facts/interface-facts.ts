// Traffic of a guest's network interfaces, as the host's kernel counts it.

import { readFileSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations, InterfaceStats } from "@virtkit/core/domain-operations";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { QemuDomain } from "../domain/domain.ts";

type InterfaceDef = DomainDef["devices"]["interfaces"][number];

/** Columns of /proc/net/dev (proc_pid_net(5)): receive, then transmit. */
const COLUMNS = {
	rxBytes: 0,
	rxPackets: 1,
	rxErrors: 2,
	rxDropped: 3,
	txBytes: 8,
	txPackets: 9,
	txErrors: 10,
	txDropped: 11,
};

/** Counters by the host's name of the interface. */
export function readTraffic(text = readFileSync("/proc/net/dev", "latin1")): Map<string, InterfaceStats> {
	const found = new Map<string, InterfaceStats>();
	for (const line of text.split("\n")) {
		const colon = line.lastIndexOf(":");
		if (colon < 0) continue;
		const words = line
			.slice(colon + 1)
			.trim()
			.split(/\s+/);
		const counters = Object.entries(COLUMNS).map(([name, column]) => [name, BigInt(words[column] ?? 0)]);
		found.set(line.slice(0, colon).trim(), Object.fromEntries(counters) as unknown as InterfaceStats);
	}
	return found;
}

/** The guest's view of the counters: what the host's end of a tap sends is what the guest receives. */
export function guestTraffic({ type }: InterfaceDef, host: InterfaceStats): InterfaceStats {
	if (type === "direct") return host;
	return {
		rxBytes: host.txBytes,
		rxPackets: host.txPackets,
		rxErrors: host.txErrors,
		rxDropped: host.txDropped,
		txBytes: host.rxBytes,
		txPackets: host.rxPackets,
		txErrors: host.rxErrors,
		txDropped: host.rxDropped,
	};
}

function findInterface(def: DomainDef, device: string): InterfaceDef {
	const found = def.devices.interfaces.find(
		({ mac, target }) => target?.dev === device || mac?.address?.toLowerCase() === device.toLowerCase(),
	);
	if (found) return found;
	throw new VirtError("INVALID_ARG", `'${device}' is not a known interface`, { domain: "DOMAIN" });
}

function interfaceStats(domain: QemuDomain, device: string): InterfaceStats {
	const found = findInterface(domain.activeRun().live.def, device);
	const name = found.target?.dev;
	if (name === undefined) throw new VirtError("INTERNAL_ERROR", "Interface name not provided", { domain: "NONE" });
	const traffic = readTraffic().get(name);
	if (traffic) return guestTraffic(found, traffic);
	throw new VirtError("INTERNAL_ERROR", "/proc/net/dev: Interface not found", { domain: "NONE" });
}

export const interfaceFacts: Pick<DomainOperations<QemuDomain>, "interfaceStats"> = { interfaceStats };
