// Connection URIs as libvirt spells them: `driver[+transport]://[user@][host][:port]/path[?parameters]`.

import { VirtError } from "@virtkit/base/errors";

const TRANSPORTS = ["tls", "unix", "ssh", "libssh2", "ext", "tcp", "libssh"] as const;
export type UriTransport = (typeof TRANSPORTS)[number];

const PROXIES = ["auto", "netcat", "native"] as const;
const MODES = ["auto", "legacy", "direct"] as const;

/** A connection URI, taken apart. */
export interface ConnectionUri {
	/** The hypervisor driver: `qemu`, `lxc`, `test`, …; empty when the daemon is to choose. */
	readonly driver: string;
	readonly transport: UriTransport;
	readonly user: string | undefined;
	/** Without the brackets of an IPv6 address; undefined for this machine. */
	readonly host: string | undefined;
	readonly port: number | undefined;
	/** `/system`, `/session`, or what the driver makes of it. */
	readonly path: string;
	/** What the daemon is asked to open: the URI without what is only about getting to the daemon. */
	readonly remoteName: string;
	/** The daemon's socket, where not its usual place. */
	readonly socket: string | undefined;
	/** The program that carries the connection (ssh and ext transports). */
	readonly command: string | undefined;
	/** The netcat to run at the other end of an SSH connection. */
	readonly netcat: string | undefined;
	/** How an SSH connection reaches the daemon: virt-ssh-helper (`native`), netcat, or whichever is there. */
	readonly proxy: (typeof PROXIES)[number];
	readonly keyfile: string | undefined;
	/** Whether SSH is to check the host's key. */
	readonly verify: boolean;
	/** Whether SSH may ask on the terminal. */
	readonly tty: boolean;
	readonly mode: (typeof MODES)[number];
}

type Parameters = Readonly<Record<string, string>>;

/** Parameters that are about getting to the daemon and are not passed on to it. */
const OWN_PARAMETERS = new Set([
	"name",
	"command",
	"socket",
	"auth",
	"sshauth",
	"netcat",
	"keyfile",
	"pkipath",
	"known_hosts",
	"known_hosts_verify",
	"tls_priority",
	"mode",
	"proxy",
	"no_sanity",
	"no_verify",
	"no_tty",
	"authfile",
]);

/** Takes a connection URI apart. Throws INVALID_ARG for one that libvirt would refuse. */
export function parseConnectionUri(text: string): ConnectionUri {
	if (text === "") return parseConnectionUri("+unix:///");
	const { scheme, authority, path, query } = splitUri(text);
	const [driver = "", transportName] = scheme.split("+", 2);
	const { user, host, port } = parseAuthority(authority, text);
	const transport = transportOf(transportName?.toLowerCase(), host);
	const pairs = parseQuery(query, text);
	const parameters: Parameters = Object.fromEntries(pairs.map(([name, value]) => [name.toLowerCase(), value]));
	const uri: ConnectionUri = {
		driver,
		transport,
		user,
		host,
		port,
		path,
		remoteName: parameters["name"] ?? remoteNameOf(driver, path, pairs),
		socket: parameters["socket"],
		command: parameters["command"],
		netcat: parameters["netcat"],
		proxy: oneOf(PROXIES, "proxy", parameters["proxy"]),
		keyfile: parameters["keyfile"],
		verify: !parseBoolean("no_verify", parameters["no_verify"]),
		tty: !parseBoolean("no_tty", parameters["no_tty"]),
		mode: oneOf(MODES, "mode", parameters["mode"]),
	};
	checkConsistency(uri);
	return uri;
}

const URI = /^(?<scheme>[A-Za-z][A-Za-z0-9+.-]*|\+unix):\/\/(?<authority>[^/?#]*)(?<path>[^?#]*)(?:\?(?<query>[^#]*))?/;

interface UriParts {
	readonly scheme: string;
	readonly authority: string;
	readonly path: string;
	readonly query: string;
}

function splitUri(text: string): UriParts {
	const groups = URI.exec(text)?.groups;
	if (groups === undefined) throw invalid(`'${text}' is not a connection URI, such as qemu:///system`);
	const { scheme = "", authority = "", path = "", query = "" } = groups;
	return { scheme, authority, path: path === "" ? "/" : path, query };
}

const AUTHORITY = /^(?:(?<user>[^@]*)@)?(?<host>\[[^\]]*\]|[^:]*)(?::(?<port>[0-9]*))?$/;

function parseAuthority(authority: string, text: string): Pick<ConnectionUri, "user" | "host" | "port"> {
	const groups = AUTHORITY.exec(authority)?.groups;
	if (groups === undefined) throw invalid(`'${authority}' in '${text}' is not [user@]host[:port]`);
	const host = decode(groups["host"] ?? "", text).replace(/^\[|\]$/g, "");
	const user = decode(groups["user"] ?? "", text);
	const port = groups["port"] ? Number(groups["port"]) : undefined;
	if (port !== undefined && port > 65535) throw invalid(`port ${port} in '${text}' is larger than 65535`);
	return { user: user === "" ? undefined : user, host: host === "" ? undefined : host, port };
}

function transportOf(name: string | undefined, host: string | undefined): UriTransport {
	if (name === undefined) return host === undefined ? "unix" : "tls";
	const transport = TRANSPORTS.find((known) => known === name);
	if (transport === undefined) {
		throw invalid(`transport '${name}' in URI is not one of ${TRANSPORTS.join(", ")}`);
	}
	return transport;
}

/** The parameters in order; libvirt separates them by `&` or `;`, and leaves a `+` as it is. */
function parseQuery(query: string, text: string): [name: string, value: string][] {
	const parts = query.split(/[&;]/).filter((part) => part !== "");
	return parts.map((part) => {
		const equals = part.indexOf("=");
		if (equals < 0) return [decode(part, text), ""];
		return [decode(part.slice(0, equals), text), decode(part.slice(equals + 1), text)];
	});
}

function decode(part: string, text: string): string {
	try {
		return decodeURIComponent(part);
	} catch (cause) {
		throw new VirtError("INVALID_ARG", `'${part}' in '${text}' has a malformed %-escape`, { domain: "URI", cause });
	}
}

function remoteNameOf(driver: string, path: string, pairs: readonly (readonly [string, string])[]): string {
	if (driver === "") return "";
	const passedOn = pairs.filter(([name]) => !OWN_PARAMETERS.has(name.toLowerCase()));
	const query = passedOn.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join("&");
	return `${driver}://${path}${query === "" ? "" : `?${query}`}`;
}

function oneOf<const V extends string>(values: readonly V[], name: string, given: string | undefined): V {
	const value = given === undefined ? values[0] : values.find((known) => known === given);
	if (value === undefined) throw invalid(`URI parameter ${name} is '${given}', not one of ${values.join(", ")}`);
	return value;
}

function parseBoolean(name: string, given: string | undefined): boolean {
	if (given === undefined) return false;
	if (!/^-?[0-9]+$/.test(given)) throw invalid(`failed to parse value of URI component ${name}: '${given}'`);
	return Number(given) !== 0;
}

function checkConsistency(uri: ConnectionUri): void {
	if (uri.transport === "unix" && uri.host !== undefined) {
		throw invalid(`using unix socket and remote server '${uri.host}' is not supported.`);
	}
	if (uri.transport === "ext" && uri.command === undefined) {
		throw invalid("the ext transport needs the URI parameter command");
	}
	if (uri.proxy === "native" && uri.netcat !== undefined) {
		throw invalid("netcat path not valid with native proxy mode");
	}
	if (uri.mode === "direct" && uri.transport !== "unix") {
		throw new VirtError("OPERATION_UNSUPPORTED", `Cannot use direct socket mode for ${uri.transport} transport`, {
			domain: "REMOTE",
		});
	}
}

function invalid(detail: string): VirtError {
	return new VirtError("INVALID_ARG", detail, { domain: "URI" });
}
