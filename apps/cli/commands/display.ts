// Commands that tell where a running guest's console and displays are reached.

import { childNamed, type XmlElement } from "@virtkit/xml/node";
import { type CliContext, CommandError } from "../context.ts";
import { flag, optional } from "../grammar/command.ts";
import { type CliCommand, declare, domainOption, exclusive } from "./declare.ts";
import { definitionOf, devicesOf } from "./device-list.ts";

const ttyconsole = declare({
	name: "ttyconsole",
	summary: "tty console",
	description: "Output the device for the TTY console.",
	options: { domain: domainOption("active-domain") },
	async run(context, args) {
		const [first] = devicesOf(await definitionOf(await context.domain(args.domain)), "console");
		const tty = first?.attributes.tty;
		if (tty === undefined) return 1;
		context.print(tty);
	},
});

const vncdisplay = declare({
	name: "vncdisplay",
	summary: "vnc display",
	description: "Output the IP address and port number for the VNC display.",
	options: { domain: domainOption("active-domain") },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		if (!(await domain.isActive())) throw new CommandError("Domain is not running");
		const vnc = devicesOf(await definitionOf(domain), "graphics").find(({ attributes }) => attributes.type === "vnc");
		const port = Number(vnc?.attributes.port ?? Number.NaN);
		if (!vnc || Number.isNaN(port)) throw new CommandError("Failed to get VNC port. Is this domain using VNC?");
		const host = vnc.attributes.listen ?? childNamed(vnc, "listen")?.attributes.address;
		context.print(`${host === undefined || host === "0.0.0.0" ? "" : host}:${port - 5900}`);
	},
});

/** The kinds of displays in the order in which they are looked for. */
const SCHEMES = ["vnc", "spice", "rdp", "dbus"] as const;
type Scheme = (typeof SCHEMES)[number];

const isWildcard = (address: string): boolean => address === "0.0.0.0" || address === "::";

/** Where a viewer finds the display's host; nothing where that is this machine. */
async function hostOf(context: CliContext, graphics: XmlElement): Promise<string> {
	const listen = graphics.attributes.listen ?? childNamed(graphics, "listen")?.attributes.address;
	if (listen === undefined) return "localhost";
	if (!isWildcard(listen)) return listen.includes(":") ? `[${listen}]` : listen;
	const uri = await (await context.connection).host.uri();
	return /^[^:]+:\/\/(?:[^@/]*@)?([^:/]+)/.exec(uri)?.[1] ?? "localhost";
}

/** The address of a display as viewers take it; nothing where it listens nowhere. */
async function displayUri(context: CliContext, scheme: Scheme, graphics: XmlElement): Promise<string | undefined> {
	const { attributes } = graphics;
	if (scheme === "dbus") return attributes.address === undefined ? undefined : `dbus+${attributes.address}`;
	const [port, tlsPort] = [Number(attributes.port ?? 0), Number(attributes.tlsPort ?? 0)];
	const listen = childNamed(graphics, "listen")?.attributes;
	const socket = listen?.type === "socket" ? listen.socket : undefined;
	if (!(port || tlsPort || socket)) return undefined;
	const password = attributes.passwd;
	const user = scheme === "vnc" && password !== undefined ? `:${password}@` : "";
	const host = socket ?? (await hostOf(context, graphics));
	const shownPort = port ? `:${scheme === "vnc" ? port - 5900 : port}` : "";
	const query = [
		...(tlsPort ? [`tls-port=${tlsPort}`] : []),
		...(scheme === "spice" && password !== undefined ? [`password=${password}`] : []),
	].join("&");
	return `${scheme}${socket ? "+unix" : ""}://${user}${host}${shownPort}${query && `?${query}`}`;
}

const domdisplay = declare({
	name: "domdisplay",
	summary: "domain display connection URI",
	description: "Output the IP address and port number for the graphical display.",
	options: {
		domain: domainOption("active-domain"),
		"include-password": flag("with the password, where there is one"),
		type: optional("the kind of display", { completes: SCHEMES }),
		all: flag("all displays, not the first alone"),
	},
	async run(context, args) {
		exclusive(args, "all", "type");
		const domain = await context.domain(args.domain);
		if (!(await domain.isActive())) throw new CommandError("Domain is not running");
		const graphics = devicesOf(await definitionOf(domain, { secure: args["include-password"] }), "graphics");
		const found: string[] = [];
		for (const scheme of SCHEMES) {
			const one = graphics.find(({ attributes }) => attributes.type === scheme);
			if (!one || (args.type !== undefined && args.type !== scheme)) continue;
			const uri = await displayUri(context, scheme, one);
			if (uri !== undefined) found.push(uri);
		}
		if (found.length === 0)
			throw new CommandError(
				args.type ? `No graphical display with type '${args.type}' found` : "No graphical display found",
			);
		if (context.options.json)
			return context.table(
				["uri"],
				(args.all ? found : found.slice(0, 1)).map((uri) => [uri]),
			);
		for (const uri of found) {
			// One alone has no end of line of its own.
			if (!args.all) return context.terminal.out(uri);
			context.print(uri);
		}
	},
});

export const displayCommands: readonly CliCommand[] = [ttyconsole, vncdisplay, domdisplay];
