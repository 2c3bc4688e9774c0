// Network interfaces of the host: what they are, and the changes that guests' interfaces need, by ip(8)'s JSON and sysfs.

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { promisify } from "node:util";
import { VirtError } from "@virtkit/base/errors";
import { systemError } from "../system-error.ts";

const run = promisify(execFile);

/** An interface as ip(8) shows it. */
export interface Link {
	readonly index: number;
	readonly name: string;
	readonly mac: string | undefined;
	readonly mtu: number;
	/** Whether it is set to be up; whether it has a carrier is another matter. */
	readonly up: boolean;
	/** The bridge or bond it belongs to. */
	readonly master: string | undefined;
	/** "bridge", "tun", "veth", …; undefined for hardware. */
	readonly kind: string | undefined;
}

interface IpLink {
	readonly ifindex: number;
	readonly ifname: string;
	readonly address?: string;
	readonly mtu: number;
	readonly flags: readonly string[];
	readonly master?: string;
	readonly linkinfo?: { readonly info_kind?: string };
}

/** Runs ip(8); what it says on failure is the error's text. */
export async function ip(doing: string, args: readonly string[]): Promise<string> {
	try {
		return (await run("ip", args, { env: { ...process.env, LC_ALL: "C" } })).stdout;
	} catch (error) {
		const said = (error as { stderr?: string }).stderr?.trim();
		if (!said) throw systemError(`${doing}: cannot run ip`, error);
		throw new VirtError("SYSTEM_ERROR", `${doing}: ${said.replace(/^(RTNETLINK answers|Error): /, "")}`, {
			domain: "NONE",
			cause: error,
		});
	}
}

const linkOf = (link: IpLink): Link => ({
	index: link.ifindex,
	name: link.ifname,
	mac: link.address,
	mtu: link.mtu,
	up: link.flags.includes("UP"),
	master: link.master,
	kind: link.linkinfo?.info_kind,
});

/** All interfaces of this network namespace. */
export async function listLinks(): Promise<Link[]> {
	const links = JSON.parse(await ip("cannot list network interfaces", ["-j", "-d", "link", "show"]));
	return (links as IpLink[]).map(linkOf);
}

/** The interface's MTU. @throws VirtError SYSTEM_ERROR (ENODEV), in libvirt's words, when there is none of that name. */
export function readMtu(name: string): number {
	const text = name.includes("/") ? undefined : readSysfs(name, "mtu");
	if (text !== undefined) return Number(text);
	throw systemError(`Cannot get interface MTU on '${name}'`, constants.errno.ENODEV);
}

function readSysfs(name: string, file: string): string | undefined {
	try {
		return readFileSync(`/sys/class/net/${name}/${file}`, "latin1").trim();
	} catch {
		return undefined;
	}
}

/** Changes to an interface; what is left out stays. */
export interface LinkChange {
	readonly mac?: string;
	readonly mtu?: number;
	readonly up?: boolean;
	/** A bridge to join; null to leave the one it is in. */
	readonly master?: string | null;
}

/** Makes the changes in one step. */
export async function changeLink(name: string, change: LinkChange): Promise<void> {
	const words = [
		...(change.mac === undefined ? [] : ["address", change.mac]),
		...(change.mtu === undefined ? [] : ["mtu", `${change.mtu}`]),
		...(change.master === undefined ? [] : change.master === null ? ["nomaster"] : ["master", change.master]),
		...(change.up === undefined ? [] : [change.up ? "up" : "down"]),
	];
	if (words.length > 0) await ip(`cannot change network interface '${name}'`, ["link", "set", "dev", name, ...words]);
}

/** Whether a bridge keeps the port's frames from its other isolated ports. */
export async function isolatePort(name: string, isolated: boolean): Promise<void> {
	const doing = `cannot ${isolated ? "isolate" : "open"} bridge port '${name}'`;
	await ip(doing, ["link", "set", "dev", name, "type", "bridge_slave", "isolated", isolated ? "on" : "off"]);
}

/** Whether there is an interface of that name. */
export function linkExists(name: string): boolean {
	return name !== "" && !name.includes("/") && readSysfs(name, "ifindex") !== undefined;
}

/** Removes a software interface. */
export async function deleteLink(name: string): Promise<void> {
	await ip(`cannot remove network interface '${name}'`, ["link", "delete", "dev", name]);
}

/** virDomainInterfaceStats, as the host's side of the interface counts. */
export interface LinkStatistics {
	readonly rxBytes: bigint;
	readonly rxPackets: bigint;
	readonly rxErrors: bigint;
	readonly rxDropped: bigint;
	readonly txBytes: bigint;
	readonly txPackets: bigint;
	readonly txErrors: bigint;
	readonly txDropped: bigint;
}

/** The kernel's counters; undefined when there is no such interface. */
export function readLinkStatistics(name: string): LinkStatistics | undefined {
	const count = (file: string) => BigInt(readSysfs(name, `statistics/${file}`) ?? 0);
	if (name.includes("/") || readSysfs(name, "statistics/rx_bytes") === undefined) return undefined;
	return {
		rxBytes: count("rx_bytes"),
		rxPackets: count("rx_packets"),
		rxErrors: count("rx_errors"),
		rxDropped: count("rx_dropped"),
		txBytes: count("tx_bytes"),
		txPackets: count("tx_packets"),
		txErrors: count("tx_errors"),
		txDropped: count("tx_dropped"),
	};
}
