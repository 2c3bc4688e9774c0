// Character devices of a command line as the type, <source> and <log> of the device that has them.

import { VirtError } from "@virtkit/base/errors";
import { type XmlElement, xmlElement } from "@virtkit/xml/node";
import { isOn, type NativeParts, type Props, textOf } from "./native-options.ts";
import type { Content } from "./place.ts";

/** A backend in the terms of the document. */
export interface NativeChardev {
	readonly type: string;
	readonly content: Content;
}

const source = (attributes: Readonly<Record<string, string | undefined>>): XmlElement =>
	xmlElement("source", attributes);

const plain = (type: string) => (): NativeChardev => ({ type, content: [] });

const pathed =
	(type: string) =>
	({ path, append }: Props): NativeChardev => ({
		type,
		content: [source({ path: textOf(path), append: textOf(append) })],
	});

function socket({ path, host, port, server, telnet, reconnect }: Props): NativeChardev {
	const mode = isOn(server) ? "bind" : "connect";
	const again =
		reconnect === undefined
			? undefined
			: textOf(reconnect) === "0"
				? xmlElement("reconnect", { enabled: "no" })
				: xmlElement("reconnect", { enabled: "yes", timeout: textOf(reconnect) });
	const inner = again ? [again] : [];
	if (path !== undefined) return { type: "unix", content: [xmlElement("source", { mode, path: textOf(path) }, inner)] };
	return {
		type: "tcp",
		content: [
			xmlElement("source", { mode, host: textOf(host), service: textOf(port) }, inner),
			xmlElement("protocol", { type: isOn(telnet) ? "telnet" : "raw" }),
		],
	};
}

function udp({ host, port, localaddr, localport }: Props): NativeChardev {
	const local = textOf(localport) ?? "0";
	return {
		type: "udp",
		content: [
			source({ mode: "connect", host: textOf(host), service: textOf(port) }),
			local === "0" ? undefined : source({ mode: "bind", host: textOf(localaddr) || undefined, service: local }),
		],
	};
}

/** By QEMU's name of the backend. */
const BACKENDS: Readonly<Record<string, (props: Props) => NativeChardev>> = {
	pty: plain("pty"),
	null: plain("null"),
	stdio: plain("stdio"),
	vc: plain("vc"),
	spicevmc: plain("spicevmc"),
	spiceport: ({ name }) => ({ type: "spiceport", content: [source({ channel: textOf(name) })] }),
	file: pathed("file"),
	pipe: pathed("pipe"),
	serial: pathed("dev"),
	parallel: pathed("dev"),
	socket,
	udp,
};

/** The backend of that id. Throws INVALID_ARG where the command line has none, or one that no document can have. */
export function nativeChardev(parts: NativeParts, id: string | undefined): NativeChardev {
	const props = parts.made("-chardev", id);
	if (props === undefined)
		throw new VirtError("INVALID_ARG", `the command line has no option '-chardev' with id '${id}'`);
	const backend = textOf(props[""]) ?? "";
	const make = BACKENDS[backend];
	if (make === undefined)
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			`character device '${id}' of the command line is of unknown kind '${backend}'`,
		);
	const { type, content } = make(props);
	const { logfile, logappend } = props;
	return {
		type,
		content:
			logfile === undefined
				? content
				: [...content, xmlElement("log", { file: textOf(logfile), append: textOf(logappend) })],
	};
}
