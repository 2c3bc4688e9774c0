// The program that connects user interfaces with <backend type='passt'/>: one passt an interface, without privileges.

import type { InterfaceDef } from "@virtkit/model/domain/interface";
import { ipFamily } from "@virtkit/model/domain/ip-address";
import { isPasst, passtName, passtSocket } from "../devices/interface-build.ts";
import { needProgram } from "./find.ts";
import type { HelperKind } from "./helper.ts";

type PortForward = InterfaceDef["portForward"][number];

/** `10-20:110-120`, `~15`: ports of the host, and where they lead (passt(1), --tcp-ports). */
function formatRange({ start, end, to, exclude }: PortForward["range"][number]): string {
	const span = (first: number | undefined, last: number | undefined): string =>
		last === undefined ? `${first}` : `${first}-${last}`;
	const target = to === undefined ? "" : `:${span(to, end === undefined ? undefined : end + to - (start ?? 0))}`;
	return `${exclude ? "~" : ""}${span(start, end)}${target}`;
}

function forwardOptions({ proto, address, dev, range }: PortForward): string[] {
	const place = address === undefined ? "" : `${address}${dev === undefined ? "" : `%${dev}`}/`;
	return [`--${proto}-ports`, `${place}${range.length === 0 ? "all" : range.map(formatRange).join(",")}`];
}

/** passt's options for an interface. */
export function passtOptions(net: InterfaceDef, workFolder: string): string[] {
	const option = (name: string, value: string | number | undefined): string[] =>
		value === undefined ? [] : [`--${name}`, `${value}`];
	return [
		"--foreground",
		"--one-off",
		...(net.type === "vhostuser" ? ["--vhost-user"] : []),
		...option("socket", passtSocket(net, workFolder)),
		...option("mac-addr", net.mac.address),
		...option("mtu", net.mtu?.size || undefined),
		...option("interface", net.source?.dev),
		...option("log-file", net.backend?.logFile || undefined),
		...option("hostname", net.backend?.hostname),
		...option("fqdn", net.backend?.fqdn),
		...net.ip.flatMap(({ address, prefix }) => [
			...option("address", address),
			...option("netmask", ipFamily(address) === "ipv4" ? prefix || undefined : undefined),
		]),
		...net.portForward.flatMap(forwardOptions),
	];
}

export const passt: HelperKind = {
	plan: ({ driver: { runAs }, run, def }) =>
		def.devices.interfaces.filter(isPasst).map((net) => ({
			name: passtName(net),
			program: needProgram("passt", "Debian's package passt"),
			args: passtOptions(net, run.paths.work),
			runAs,
			logName: `${net.alias}-passt`,
			ready: passtSocket(net, run.paths.work),
		})),
};
