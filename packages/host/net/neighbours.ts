// IPv4 neighbours of the host: which addresses were last heard of behind which MACs (ip-neighbour(8)).

import { ip } from "./link.ts";

export interface Neighbour {
	readonly address: string;
	/** Lower case, colons. */
	readonly mac: string;
}

interface IpNeighbour {
	readonly dst?: string;
	readonly lladdr?: string;
}

/** What this network namespace's neighbour table holds that was reachable once; as libvirt's virArpTableGet. */
export async function listNeighbours(): Promise<Neighbour[]> {
	const args = ["-j", "-4", "neighbour", "show", "nud", "reachable", "nud", "stale"];
	const entries: readonly IpNeighbour[] = JSON.parse((await ip("cannot list network neighbours", args)) || "[]");
	return entries.flatMap(({ dst, lladdr }) =>
		dst === undefined || lladdr === undefined ? [] : [{ address: dst, mac: lladdr.toLowerCase() }],
	);
}
