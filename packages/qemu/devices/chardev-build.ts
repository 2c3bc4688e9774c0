// Character devices on the command line: one function a kind of host side, shared by all devices that have one.

import { VirtError } from "@virtkit/base/errors";
import { type ChardevHolder, type ChardevSourceDef, endpointOf } from "@virtkit/model/domain/chardev";
import { escapeCommas } from "../command-line/command-line.ts";
import { chardevBackend } from "./chardev-backend.ts";
import type { BuildContext } from "./entry.ts";
import { addTlsCredentials } from "./tls.ts";

/** What a character device is written from. */
export type ChardevParts = Pick<ChardevHolder, "type" | "source" | "endpoints" | "protocol" | "log">;

export interface ChardevOptions {
	/** A listening socket holds the guest's start until somebody connects. */
	readonly waits?: boolean;
	/** What a SPICE channel carries. */
	readonly spice?: "vdagent" | "smartcard" | "usbredir";
	/** Id of the TLS credentials of a TCP connection. */
	readonly tlsCredentials?: string;
}

type Format = (chardev: ChardevParts, id: string, options: ChardevOptions) => readonly string[];

const onOff = (value: boolean): string => (value ? "on" : "off");
const pathOf = ({ source }: ChardevParts): string => `path=${escapeCommas(source?.path ?? "")}`;

function socketOptions(source: ChardevSourceDef | undefined, { waits }: ChardevOptions): string[] {
	const options: string[] = [];
	if (source?.mode === "bind") options.push("server=on", ...(waits ? [] : ["wait=off"]));
	const { reconnect } = source ?? {};
	if (reconnect?.enabled !== undefined) options.push(`reconnect=${reconnect.enabled ? reconnect.timeout : 0}`);
	return options;
}

const onlyKind =
	(kind: string): Format =>
	() => [kind];

const FORMATS: Partial<Record<ChardevHolder["type"], Format>> = {
	null: onlyKind("null"),
	vc: onlyKind("vc"),
	pty: onlyKind("pty"),
	stdio: onlyKind("stdio"),
	dev: (chardev, id) => [id.startsWith("charparallel") ? "parallel" : "serial", pathOf(chardev)],
	file: (chardev) => {
		const { append } = chardev.source ?? {};
		return ["file", pathOf(chardev), ...(append === undefined ? [] : [`append=${onOff(append)}`])];
	},
	pipe: (chardev) => ["pipe", pathOf(chardev)],
	udp: (chardev) => {
		const to = endpointOf(chardev, "connect");
		const from = endpointOf(chardev, "bind");
		return [
			"udp",
			`host=${escapeCommas(to?.host ?? "")}`,
			`port=${escapeCommas(to?.service ?? "")}`,
			`localaddr=${escapeCommas(from?.host ?? "")}`,
			`localport=${escapeCommas(from?.service ?? "0")}`,
		];
	},
	tcp: ({ source, protocol }, _, options) => [
		"socket",
		`host=${escapeCommas(source?.host ?? "")}`,
		`port=${escapeCommas(source?.service ?? "")}`,
		...(protocol?.type === "telnet" ? ["telnet=on"] : []),
		...socketOptions(source, options),
		...(options.tlsCredentials === undefined ? [] : [`tls-creds=${options.tlsCredentials}`]),
	],
	unix: (chardev, _, options) => ["socket", pathOf(chardev), ...socketOptions(chardev.source, options)],
	spicevmc: (_, __, { spice = "vdagent" }) => ["spicevmc", `name=${spice}`],
	spiceport: ({ source }) => ["spiceport", `name=${source?.channel}`],
	dbus: ({ source }) => ["dbus", `name=${source?.channel}`],
	"qemu-vdagent": ({ source }) => [
		"qemu-vdagent",
		"name=vdagent",
		...(source?.clipboard ? [`clipboard=${onOff(source.clipboard.copypaste)}`] : []),
		...(source?.mouse ? [`mouse=${onOff(source.mouse.mode === "client")}`] : []),
	],
};

/** The value of -chardev. Throws CONFIG_UNSUPPORTED for kinds that QEMU has not. */
export function formatChardev(chardev: ChardevParts, id: string, options: ChardevOptions = {}): string {
	const [kind, ...rest] = FORMATS[chardev.type]?.(chardev, id, options) ?? [];
	if (kind === undefined)
		throw new VirtError("CONFIG_UNSUPPORTED", `character device '${chardev.type}' is unknown to QEMU`);
	const { file, append } = chardev.log ?? {};
	if (file !== undefined) rest.push(`logfile=${escapeCommas(file)}`);
	if (file !== undefined && append !== undefined) rest.push(`logappend=${onOff(append)}`);
	return [kind, `id=${id}`, ...rest].join(",");
}

/** Appends the character device, and before it the credentials of an encrypted connection. */
export function addChardev(
	chardev: ChardevParts,
	id: string,
	context: BuildContext,
	options: ChardevOptions = {},
): void {
	const { command, settings } = context;
	const tls = chardev.type === "tcp" && (chardev.source?.tls ?? settings.chardevTls) === true;
	const tlsCredentials = `obj${id}_tls0`;
	if (tls)
		addTlsCredentials(
			{
				id: tlsCredentials,
				dir: settings.chardevTlsX509CertDir,
				endpoint: chardev.source?.mode === "bind" ? "server" : "client",
				verify: settings.chardevTlsX509Verify,
			},
			context,
		);
	const all = tls ? { ...options, tlsCredentials } : options;
	command.add("-chardev", formatChardev(chardev, id, all), chardevBackend(chardev, id, all));
}
