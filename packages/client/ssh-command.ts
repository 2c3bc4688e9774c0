// The command line that carries a connection over SSH, as libvirt builds it: virt-ssh-helper there, or netcat.

import type { ConnectionUri } from "./uri.ts";

/** What runs here; its standard input and output are the connection. */
export function sshArguments(uri: ConnectionUri, socketPath: string, readOnly: boolean): string[] {
	const options = [
		uri.port === undefined ? [] : ["-p", String(uri.port)],
		uri.user === undefined ? [] : ["-l", uri.user],
		uri.keyfile === undefined ? [] : ["-i", uri.keyfile],
		["-T", "-e", "none"],
		uri.tty ? [] : ["-o", "BatchMode=yes"],
		uri.verify ? [] : ["-o", "StrictHostKeyChecking=no"],
	];
	return [...options.flat(), "--", uri.host ?? "localhost", remoteCommand(uri, socketPath, readOnly)];
}

/** What the shell at the other end runs. */
function remoteCommand(uri: ConnectionUri, socketPath: string, readOnly: boolean): string {
	const helper = `virt-ssh-helper ${readOnly ? "-r " : ""}${quoted(uri.remoteName)}`;
	const netcat = netcatScript(uri.netcat ?? "nc", socketPath);
	const proxy = uri.proxy === "auto" && uri.netcat !== undefined ? "netcat" : uri.proxy;
	const script = {
		native: helper,
		netcat,
		auto: `if command -v virt-ssh-helper >/dev/null 2>&1; then ${helper}; else ${netcat}; fi`,
	}[proxy];
	return `sh -c ${quoted(script)}`;
}

/** Some netcats wait for ever once their input ends unless told `-q0`, which others do not know. */
function netcatScript(netcat: string, socketPath: string): string {
	const name = quoted(netcat);
	const probe = `if ${name} -q 2>&1 | grep "requires an argument" >/dev/null 2>&1; then ARG=-q0; else ARG=; fi`;
	return `${probe}; ${name} $ARG -U ${quoted(socketPath)}`;
}

/** `text` as one word of a POSIX shell. */
function quoted(text: string): string {
	return `'${text.replaceAll("'", `'\\''`)}'`;
}
