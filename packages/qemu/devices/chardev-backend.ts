// Character devices as QMP's chardev-add takes them, for devices that are plugged into a running guest.

import { VirtError } from "@virtkit/base/errors";
import { type ChardevHolder, type ChardevSourceDef, endpointOf } from "@virtkit/model/domain/chardev";
import type { JsonObject } from "../command-line/command-line.ts";
import type { ChardevOptions, ChardevParts } from "./chardev-build.ts";

type Backend = readonly [type: string, data: JsonObject];
type Make = (chardev: ChardevParts, id: string, options: ChardevOptions) => Backend;

function socket(address: JsonObject, source: ChardevSourceDef | undefined, { waits = false }: ChardevOptions) {
	const server = source?.mode === "bind";
	const { reconnect } = source ?? {};
	return {
		addr: address,
		wait: server ? waits : undefined,
		server,
		reconnect: reconnect?.enabled === undefined ? undefined : reconnect.enabled ? reconnect.timeout : 0,
	};
}

const inet = (host: string | undefined, port: string | undefined): JsonObject => ({
	type: "inet",
	data: { host: host ?? "", port: port ?? "0" },
});

const plain =
	(type: string): Make =>
	() => [type, {}];

const BACKENDS: Partial<Record<ChardevHolder["type"], Make>> = {
	null: plain("null"),
	vc: plain("vc"),
	pty: plain("pty"),
	stdio: plain("stdio"),
	dev: ({ source }, id) => [id.startsWith("charparallel") ? "parallel" : "serial", { device: source?.path }],
	file: ({ source }) => ["file", { out: source?.path, append: source?.append }],
	pipe: ({ source }) => ["pipe", { device: source?.path }],
	udp: (chardev) => {
		const to = endpointOf(chardev, "connect");
		const from = endpointOf(chardev, "bind");
		return ["udp", { remote: inet(to?.host, to?.service), local: from && inet(from.host, from.service) }];
	},
	tcp: ({ source, protocol }, _, options) => [
		"socket",
		{
			...socket(inet(source?.host, source?.service), source, options),
			telnet: protocol?.type === "telnet",
			"tls-creds": options.tlsCredentials,
		},
	],
	unix: ({ source }, _, options) => ["socket", socket({ type: "unix", data: { path: source?.path } }, source, options)],
	spicevmc: (_, __, { spice = "vdagent" }) => ["spicevmc", { type: spice }],
	spiceport: ({ source }) => ["spiceport", { fqdn: source?.channel }],
	dbus: ({ source }) => ["dbus", { name: source?.channel }],
	"qemu-vdagent": ({ source }) => [
		"qemu-vdagent",
		{ clipboard: source?.clipboard?.copypaste, mouse: source?.mouse && source.mouse.mode === "client" },
	],
};

/** The arguments of chardev-add. Throws CONFIG_UNSUPPORTED for kinds that QEMU has not. */
export function chardevBackend(chardev: ChardevParts, id: string, options: ChardevOptions = {}): JsonObject {
	const [type, data] = BACKENDS[chardev.type]?.(chardev, id, options) ?? [];
	if (type === undefined)
		throw new VirtError("CONFIG_UNSUPPORTED", `character device '${chardev.type}' is unknown to QEMU`);
	const { file: logfile, append: logappend } = chardev.log ?? {};
	return {
		id,
		backend: { type, data: { ...data, logfile, logappend: logfile === undefined ? undefined : logappend } },
	};
}

/** The arguments of chardev-add for the socket of a vhost-user server; `reconnect` in seconds. */
export function vhostUserBackend(id: string, path: string, reconnect?: number): JsonObject {
	const data = { addr: { type: "unix", data: { path } }, server: false, reconnect };
	return { id, backend: { type: "socket", data } };
}
