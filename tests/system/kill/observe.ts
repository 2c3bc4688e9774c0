// What is there of a daemon's domains after a kill: asked of the daemon, of each QEMU, of the host's processes and of the files.

import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { connect } from "@virtkit/client/sdk/connection";
import type { Domain } from "@virtkit/client/sdk/domain";
import { findProcesses, readCommandLine } from "@virtkit/host/process";
import type { Facts } from "./facts.ts";

export interface ObservedDomain {
	readonly uuid: string;
	/** `managedSave` says only whether there is one: `running` stands for any. */
	readonly facts: Facts;
	readonly id: number;
	/** QEMU's own word for the guest's state; undefined for one that is off. */
	readonly qemuStatus: string | undefined;
}

/** Numbers of the instance's QEMU processes, by the working folder (`domain-ID-NAME`) that each was started for. */
export function guestProcesses(root: string): Map<string, number[]> {
	const marker = join(root, "lib/qemu/domain-");
	const found = new Map<string, number[]>();
	for (const { pid } of findProcesses(marker)) {
		const argument = readCommandLine(pid).find((word) => word.includes(marker));
		if (argument === undefined) continue;
		const folder = `domain-${argument.slice(argument.indexOf(marker) + marker.length).split("/")[0]}`;
		found.set(folder, [...(found.get(folder) ?? []), pid]);
	}
	return found;
}

/** Every domain that the daemon knows. @throws Error where one's document does not read. */
export async function observeDomains(uri: string): Promise<ObservedDomain[]> {
	await using connection = await connect(uri);
	const domains = await connection.domains.list();
	return await Promise.all(domains.map(observe));
}

async function observe(domain: Domain): Promise<ObservedDomain> {
	const [{ state }, defined, xml] = await Promise.all([domain.state(), domain.isPersistent(), domain.xml()]);
	const isUp = state === "running" || state === "paused";
	if (!isUp && state !== "shutoff") throw new Error(`'${domain.name}' is ${state}`);
	const inactive = defined ? await domain.xml({ inactive: true }) : xml;
	const title = /<title>(\d+)<\/title>/.exec(inactive)?.[1];
	if (title === undefined || !inactive.includes(`<uuid>${domain.uuid}</uuid>`) || !inactive.endsWith("</domain>\n"))
		throw new Error(`the definition of '${domain.name}' is not whole:\n${inactive}`);
	const facts: Facts = {
		name: domain.name,
		defined,
		title: Number(title),
		autostart: defined && (await domain.getAutostart()),
		state: isUp ? state : "off",
		managedSave: (await domain.hasManagedSave()) ? "running" : "none",
	};
	return { uuid: domain.uuid, facts, id: domain.id, qemuStatus: isUp ? await askQemu(domain) : undefined };
}

async function askQemu(domain: Domain): Promise<string> {
	const answer = JSON.parse(await domain.monitorCommand('{"execute":"query-status"}')) as {
		return: { status: string };
	};
	return answer.return.status;
}

const list = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder).sort() : []);

/** The names in each folder where the driver keeps something for a domain, for a group or for a moment. */
export function observeFiles(root: string, groups: readonly string[]): Readonly<Record<string, string[]>> {
	return {
		definitions: list(join(root, "etc/qemu")),
		autostart: list(join(root, "etc/qemu/autostart")),
		status: list(join(root, "run/qemu")).filter((name) => !name.endsWith(".owners")),
		"working folders": list(join(root, "lib/qemu")).filter((name) => !FOLDERS.has(name)),
		channels: list(join(root, "lib/qemu/channel/target")),
		"managed saves": list(join(root, "lib/qemu/save")),
		sockets: list(join(root, "run")),
		...Object.fromEntries(groups.map((group) => [group, list(group).filter((name) => name.startsWith("qemu-"))])),
	};
}

const FOLDERS = new Set(["channel", "dump", "nvram", "save", "snapshot", "checkpoint", "cache", "ram"]);

/** What `observeFiles` is to find where the domains are these. */
export function expectedFiles(
	domains: readonly ObservedDomain[],
	groups: readonly string[],
): Readonly<Record<string, string[]>> {
	const names = (wanted: (domain: ObservedDomain) => boolean, format: (domain: ObservedDomain) => string) =>
		domains.filter(wanted).map(format).sort();
	const isUp = ({ facts: { state } }: ObservedDomain) => state !== "off";
	const file = ({ facts: { name } }: ObservedDomain) => `${name}.xml`;
	const machines = names(isUp, ({ id, facts: { name } }) => `qemu-${id}-${name}.libvirt-qemu`);
	return {
		definitions: [...names(({ facts }) => facts.defined, file), "autostart"].sort(),
		autostart: names(({ facts }) => facts.autostart, file),
		status: [...names(isUp, file), "autostarted"].sort(),
		"working folders": names(isUp, ({ id, facts: { name } }) => `domain-${id}-${name}`),
		channels: names(isUp, ({ id, facts: { name } }) => `domain-${id}-${name}`),
		"managed saves": names(
			({ facts }) => facts.managedSave !== "none",
			({ facts: { name } }) => `${name}.save`,
		),
		sockets: ["libvirt-sock", "libvirt-sock-ro", "qemu", "virtkit.pid"],
		...Object.fromEntries(groups.map((group) => [group, machines])),
	};
}

/** Whose the file is. */
export const ownerOf = (path: string): number => statSync(path).uid;
