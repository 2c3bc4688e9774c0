// Commands that define, describe and remove domains.

import { readFileSync } from "node:fs";
import { CommandError, orFail, systemErrorText } from "../context.ts";
import { flag, named, needed, optional, rest } from "../grammar/command.ts";
import { attachConsole } from "../shell/console.ts";
import { editText } from "../shell/editor.ts";
import { affected, type CliCommand, declare, domainOption, exclusive, liveFirstOptions, passedFds } from "./declare.ts";
import { printXml, xpathOptions } from "./print-xml.ts";

/** A file's text. Throws in virsh's words. */
export function readFile(file: string): string {
	try {
		return readFileSync(file, "utf8");
	} catch (cause) {
		throw new CommandError(`Failed to open file '${file}': ${systemErrorText(cause)}`);
	}
}

const xmlFile = needed("file containing an XML domain description", { completes: "file" });
const validate = flag("validate the XML against the schema");

const define = declare({
	name: "define",
	summary: "define (but don't start) a domain from an XML file",
	description: "Define a domain.",
	options: { file: xmlFile, validate },
	async run(context, args) {
		const xml = readFile(args.file);
		const { domains } = await context.connection;
		const domain = await orFail(
			`Failed to define domain from ${args.file}`,
			domains.define(xml, { validate: args.validate }),
		);
		context.say(`Domain '${domain.name}' defined from ${args.file}`);
	},
});

const create = declare({
	name: "create",
	summary: "create a domain from an XML file",
	description: "Create a domain.",
	options: {
		file: xmlFile,
		console: flag("attach to console after creation"),
		paused: flag("leave the guest paused after creation"),
		autodestroy: flag("automatically destroy the guest when virsh disconnects"),
		"pass-fds": optional("pass file descriptors N,M,... to the guest"),
		validate,
		"reset-nvram": flag("re-initialize NVRAM from its pristine template"),
	},
	async run(context, args) {
		const xml = readFile(args.file);
		const { domains } = await context.connection;
		const options = {
			paused: args.paused,
			autodestroy: args.autodestroy,
			validate: args.validate,
			resetNvram: args["reset-nvram"],
			fds: passedFds(args["pass-fds"]),
		};
		const domain = await orFail(`Failed to create domain from ${args.file}`, domains.create(xml, options));
		context.say(`Domain '${domain.name}' created from ${args.file}`);
		if (args.console) await attachConsole(context, domain, null, {});
	},
});

const dumpxml = declare({
	name: "dumpxml",
	summary: "domain information in XML",
	description: "Output the domain information as an XML dump to stdout.",
	options: {
		domain: domainOption(),
		inactive: flag("show inactive defined XML"),
		"security-info": flag("include security sensitive information in XML dump"),
		"update-cpu": flag("update guest CPU according to host CPU"),
		migratable: flag("provide XML suitable for migrations"),
		...xpathOptions,
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const options = {
			inactive: args.inactive,
			secure: args["security-info"],
			updateCpu: args["update-cpu"],
			migratable: args.migratable,
		};
		await printXml(context, await domain.xml(options), args);
	},
});

const edit = declare({
	name: "edit",
	summary: "edit XML configuration for a domain",
	description: "Edit the XML configuration for a domain.",
	options: { domain: domainOption(), "skip-validate": flag("skip validation of the XML against the schema") },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const { domains } = await context.connection;
		const before = await domain.xml({ inactive: true, secure: true });
		const after = await editText(before, `${domain.name}.xml`);
		if (after === before) return context.say(`Domain '${domain.name}' XML configuration not changed.`);
		const defined = await domains.define(after, { validate: !args["skip-validate"] });
		context.say(`Domain '${defined.name}' XML configuration edited.`);
	},
});

const rename = declare({
	name: "domrename",
	summary: "rename a domain",
	description: "Rename an inactive domain.",
	options: { domain: domainOption("inactive-domain"), "new-name": needed("new domain name") },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		await domain.rename(args["new-name"]);
		context.say("Domain successfully renamed");
	},
});

const autostart = declare({
	name: "autostart",
	summary: "autostart a domain",
	description: "Configure a domain to be automatically started at boot.",
	options: { domain: domainOption(), disable: flag("disable autostarting"), once: flag("control next boot state") },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const on = !args.disable;
		const mark = on ? "mark" : "unmark";
		const what = `as autostarted${args.once ? " on next boot" : ""}`;
		await orFail(
			`Failed to ${mark} domain '${domain.name}' ${what}`,
			args.once ? domain.setAutostartOnce(on) : domain.setAutostart(on),
		);
		context.say(`Domain '${domain.name}' ${mark}ed ${what}`);
	},
});

const desc = declare({
	name: "desc",
	summary: "show or set domain's description or title",
	description: "Allows setting or modifying the description or title of a domain.",
	options: {
		domain: domainOption(),
		...liveFirstOptions,
		title: flag("modify/get title instead of description"),
		edit: flag("open an editor to modify the description"),
		"new-desc": rest("message"),
	},
	async run(context, args) {
		const where = affected(args);
		const domain = await context.domain(args.domain);
		const type = args.title ? "title" : "description";
		const current = async (): Promise<string> => domain.getMetadata(type, null, where).catch(() => "");
		if (!args.edit && args["new-desc"].length === 0) {
			const text = await current();
			if (text === "") context.sayInline(`No ${type} for domain: ${domain.name}`);
			else context.terminal.out(text);
			return;
		}
		const given = args["new-desc"].join(" ");
		const text = args.edit ? (await editText(given || (await current()), `${type}.txt`)).trimEnd() : given;
		if (args.edit && text === (await current())) return context.say(`Domain ${type} not changed`);
		await orFail(`Failed to set new domain ${type}`, domain.setMetadata(type, text === "" ? null : text, {}, where));
		context.sayInline(`Domain ${type} updated successfully`);
	},
});

const metadata = declare({
	name: "metadata",
	summary: "show or set domain's custom XML metadata",
	description: "Shows or modifies the XML metadata of a domain.",
	options: {
		domain: domainOption(),
		uri: needed("URI of the namespace"),
		...liveFirstOptions,
		edit: flag("use an editor to change the metadata"),
		key: optional("key to be used as a namespace identifier"),
		set: optional("new metadata to set"),
		remove: flag("remove the metadata corresponding to an uri"),
	},
	async run(context, args) {
		const affect = affected(args);
		exclusive(args, "edit", "set");
		exclusive(args, "remove", "set");
		exclusive(args, "remove", "edit");
		const domain = await context.domain(args.domain);
		if ((args.set !== undefined || args.edit) && args.key === undefined)
			throw new CommandError("namespace key is required when modifying metadata");
		const where = { uri: args.uri, ...(args.key === undefined ? {} : { key: args.key }) };
		if (args.remove) {
			await domain.setMetadata("element", null, where, affect);
			return context.say("Metadata removed");
		}
		if (!args.edit && args.set === undefined)
			return context.print(await domain.getMetadata("element", args.uri, affect));
		const before = args.edit ? await domain.getMetadata("element", args.uri, affect).catch(() => "<metadata/>") : "";
		const value = args.edit ? await editText(before, "metadata.xml") : (args.set ?? "");
		if (args.edit && value === before) return context.sayInline("Metadata not changed");
		await domain.setMetadata("element", value, where, affect);
		context.say("Metadata modified");
	},
});

const fromNative = declare({
	name: "domxml-from-native",
	summary: "Convert native config to domain XML",
	description: "Convert native guest configuration format to domain XML format.",
	options: {
		format: needed("source config data format"),
		config: needed("config data file to import from", { completes: "file" }),
	},
	async run(context, args) {
		const { rpc } = await context.connection;
		const call = rpc.call("CONNECT_DOMAIN_XML_FROM_NATIVE", {
			nativeFormat: args.format,
			nativeConfig: readFile(args.config),
			flags: 0,
		});
		context.terminal.out((await call).domainXml);
	},
});

const toNative = declare({
	name: "domxml-to-native",
	summary: "Convert domain XML to native config",
	description: "Convert domain XML config to a native guest configuration format.",
	options: {
		format: needed("target config data type format"),
		domain: named("domain name, id or uuid", { completes: "domain" }),
		xml: optional("xml data file to export from", { completes: "file" }),
	},
	async run(context, args) {
		if ((args.xml === undefined) === (args.domain === undefined))
			throw new CommandError(
				args.xml === undefined
					? "need either domain or domain XML"
					: "Options --xml and --domain are mutually exclusive",
			);
		const xml = args.xml === undefined ? await (await context.domain(args.domain ?? "")).xml() : readFile(args.xml);
		context.terminal.out(await (await context.connection).domains.toNative(xml, args.format));
	},
});

export const definitionCommands: readonly CliCommand[] = [
	define,
	create,
	dumpxml,
	edit,
	rename,
	autostart,
	desc,
	metadata,
	fromNative,
	toNative,
];
