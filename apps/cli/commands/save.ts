// Commands that save domains to files, restore them, and dump their memory.

import { CommandError, orFail } from "../context.ts";
import { flag, needed, optional } from "../grammar/command.ts";
import { editText } from "../shell/editor.ts";
import { type CliCommand, declare, domainOption } from "./declare.ts";
import { readFile } from "./definition.ts";
import { printXml, xpathOptions } from "./print-xml.ts";

const bypassCache = flag("avoid file system cache when saving");
const stateOptions = {
	running: flag("set domain to be running on restore"),
	paused: flag("set domain to be paused on restore"),
} as const;

function checkState(args: { readonly running: boolean; readonly paused: boolean }): {
	running: boolean;
	paused: boolean;
} {
	if (args.running && args.paused) throw new CommandError("Options --running and --paused are mutually exclusive");
	return { running: args.running, paused: args.paused };
}

const save = declare({
	name: "save",
	summary: "save a domain state to a file",
	description: "Save the RAM state of a running domain.",
	options: {
		domain: domainOption("active-domain"),
		file: needed("where to save the data", { completes: "file" }),
		"bypass-cache": bypassCache,
		xml: optional("filename containing updated XML for the target", { completes: "file" }),
		...stateOptions,
		verbose: flag("display the progress of save"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const xml = args.xml === undefined ? {} : { xml: readFile(args.xml) };
		const options = { bypassCache: args["bypass-cache"], ...checkState(args), ...xml };
		await orFail(`Failed to save domain '${domain.name}' to ${args.file}`, domain.save(args.file, options));
		context.say(`\nDomain '${domain.name}' saved to ${args.file}`);
	},
});

const restore = declare({
	name: "restore",
	summary: "restore a domain from a saved state in a file",
	description: "Restore a domain.",
	options: {
		file: needed("the state to restore", { completes: "file" }),
		"bypass-cache": flag("avoid file system cache when restoring"),
		xml: optional("filename containing updated XML for the target", { completes: "file" }),
		running: flag("restore domain into running state"),
		paused: flag("restore domain into paused state"),
		"reset-nvram": flag("re-initialize NVRAM from its pristine template"),
	},
	async run(context, args) {
		const { domains } = await context.connection;
		const xml = args.xml === undefined ? {} : { xml: readFile(args.xml) };
		const options = { bypassCache: args["bypass-cache"], ...checkState(args), resetNvram: args["reset-nvram"], ...xml };
		await orFail(`Failed to restore domain from ${args.file}`, domains.restore(args.file, options));
		context.say(`Domain restored from ${args.file}`);
	},
});

const managedsave = declare({
	name: "managedsave",
	summary: "managed save of a domain state",
	description:
		"Save and destroy a running domain, so it can be restarted from\nthe same state at a later time.  When the virsh 'start'\ncommand is next run for the domain, it will automatically\nbe started from this saved state.",
	options: {
		domain: domainOption("active-domain"),
		"bypass-cache": bypassCache,
		...stateOptions,
		verbose: flag("display the progress of save"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const options = { bypassCache: args["bypass-cache"], ...checkState(args) };
		await orFail(`Failed to save domain '${domain.name}' state`, domain.managedSave(options));
		context.say(`\nDomain '${domain.name}' state saved by libvirt`);
	},
});

const managedsaveRemove = declare({
	name: "managedsave-remove",
	summary: "Remove managed save of a domain",
	description: "Remove an existing managed save state file from a domain",
	options: { domain: domainOption() },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		if (!(await domain.hasManagedSave()))
			return context.sayInline(`Domain '${domain.name}' has no manage save image; removal skipped`);
		await orFail(`Failed to remove managed save image for domain '${domain.name}'`, domain.removeManagedSave());
		context.say(`Removed managedsave image for domain '${domain.name}'`);
	},
});

const managedsaveDumpxml = declare({
	name: "managedsave-dumpxml",
	summary: "Domain information of managed save state file in XML",
	description: "Dump XML of domain information for a managed save state file to stdout.",
	options: {
		domain: domainOption(),
		"security-info": flag("include security sensitive information in XML dump"),
		...xpathOptions,
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const flags = args["security-info"] ? 1 : 0;
		await printXml(context, (await domain.call("DOMAIN_MANAGED_SAVE_GET_XML_DESC", { flags })).xml, args);
	},
});

const managedsaveDefine = declare({
	name: "managedsave-define",
	summary: "redefine the XML for a domain's managed save state file",
	description: "Replace the domain XML associated with a managed save state file",
	options: {
		domain: domainOption(),
		xml: needed("filename containing updated XML for the target", { completes: "file" }),
		...stateOptions,
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const { running, paused } = checkState(args);
		const flags = (running ? 2 : 0) | (paused ? 4 : 0);
		await orFail(
			`Failed to update state file of managed save of domain '${domain.name}'`,
			domain.call("DOMAIN_MANAGED_SAVE_DEFINE_XML", { dxml: readFile(args.xml), flags }),
		);
		context.say(`Managed save state file of domain '${domain.name}' updated.`);
	},
});

const managedsaveEdit = declare({
	name: "managedsave-edit",
	summary: "edit XML for a domain's managed save state file",
	description: "Opens an editor on the definition inside a domain's managed save state file.",
	options: { domain: domainOption(), ...stateOptions },
	async run(context, args) {
		const { running, paused } = checkState(args);
		const domain = await context.domain(args.domain);
		const before = (await domain.call("DOMAIN_MANAGED_SAVE_GET_XML_DESC", { flags: 1 })).xml;
		const after = await editText(before, `${domain.name}.xml`);
		if (after === before && !running && !paused)
			return context.sayInline(`Managed save image of domain '${domain.name}' XML configuration not changed.`);
		const flags = (running ? 2 : 0) | (paused ? 4 : 0);
		await orFail(
			`Failed to update '${domain.name}' XML configuration`,
			domain.call("DOMAIN_MANAGED_SAVE_DEFINE_XML", { dxml: after, flags }),
		);
		context.say(`Managed save image of domain '${domain.name}' XML configuration edited.`);
	},
});

const imageFile = needed("saved state file to read", { completes: "file" });

const saveImageDumpxml = declare({
	name: "save-image-dumpxml",
	summary: "saved state domain information in XML",
	description: "Dump XML of domain information for a saved state file to stdout.",
	options: {
		file: imageFile,
		"security-info": flag("include security sensitive information in XML dump"),
		...xpathOptions,
	},
	async run(context, args) {
		const { domains } = await context.connection;
		await printXml(context, await domains.saveImageXml(args.file, { secure: args["security-info"] }), args);
	},
});

const saveImageDefine = declare({
	name: "save-image-define",
	summary: "redefine the XML for a domain's saved state file",
	description: "Replace the domain XML associated with a saved state file",
	options: {
		file: imageFile,
		xml: needed("filename containing updated XML for the target", { completes: "file" }),
		...stateOptions,
	},
	async run(context, args) {
		const { domains } = await context.connection;
		await orFail(
			`Failed to update ${args.file}`,
			domains.defineSaveImageXml(args.file, readFile(args.xml), checkState(args)),
		);
		context.say(`State file ${args.file} updated.`);
	},
});

const saveImageEdit = declare({
	name: "save-image-edit",
	summary: "edit XML for a domain's saved state file",
	description: "Edit the domain XML associated with a saved state file",
	options: { file: imageFile, ...stateOptions },
	async run(context, args) {
		const { domains } = await context.connection;
		const before = await domains.saveImageXml(args.file, { secure: true });
		const after = await editText(before, "saved.xml");
		if (after === before && !args.running && !args.paused)
			return context.say(`Saved image ${args.file} XML configuration not changed.`);
		await orFail(`Failed to update ${args.file}`, domains.defineSaveImageXml(args.file, after, checkState(args)));
		context.say(`State file ${args.file} edited.`);
	},
});

/** virDomainCoreDumpFormat */
const DUMP_FORMATS: Readonly<Record<string, number>> = {
	elf: 0,
	"kdump-zlib": 1,
	"kdump-lzo": 2,
	"kdump-snappy": 3,
	"win-dmp": 4,
};

const dump = declare({
	name: "dump",
	summary: "dump the core of a domain to a file for analysis",
	description: "Core dump a domain.",
	options: {
		domain: domainOption("active-domain"),
		file: needed("where to dump the core", { completes: "file" }),
		live: flag("perform a live core dump if supported"),
		crash: flag("crash the domain after core dump"),
		"bypass-cache": flag("avoid file system cache when dumping"),
		reset: flag("reset the domain after core dump"),
		verbose: flag("display the progress of dump"),
		"memory-only": flag("dump domain's memory only"),
		format: optional("specify the format of memory-only dump", { completes: Object.keys(DUMP_FORMATS) }),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		if (args.format !== undefined && !args["memory-only"])
			throw new CommandError("--format only works with --memory-only");
		const format = DUMP_FORMATS[args.format ?? "elf"];
		if (format === undefined)
			throw new CommandError(
				`format '${args.format}' is not supported, expecting 'kdump-zlib', 'kdump-lzo', 'kdump-snappy', 'win-dmp' or 'elf'`,
			);
		const options = {
			live: args.live,
			crash: args.crash,
			bypassCache: args["bypass-cache"],
			reset: args.reset,
			memoryOnly: args["memory-only"],
			format,
		};
		await orFail(`Failed to core dump domain '${domain.name}' to ${args.file}`, domain.coreDump(args.file, options));
		context.say(`\nDomain '${domain.name}' dumped to ${args.file}`);
	},
});

export const saveCommands: readonly CliCommand[] = [
	save,
	restore,
	managedsave,
	managedsaveRemove,
	managedsaveDumpxml,
	managedsaveDefine,
	managedsaveEdit,
	saveImageDumpxml,
	saveImageDefine,
	saveImageEdit,
	dump,
];
