// Commands that attach, detach and change devices described in a file.

import type { Domain } from "@virtkit/client/sdk/domain";
import { orFail } from "../context.ts";
import { flag, needed } from "../grammar/command.ts";
import {
	affectFlags,
	affectOptions,
	type CliCommand,
	declare,
	deviceAffectOptions,
	deviceFlags,
	domainOption,
	exclusive,
} from "./declare.ts";
import { readFile } from "./definition.ts";

const file = needed("file with the device's description", { completes: "file" });

/** Attaching and detaching differ in the call and the words. */
function deviceCommand(verb: "attach" | "detach", done: string): CliCommand {
	return declare({
		name: `${verb}-device`,
		summary: `${verb} device from an XML file`,
		description: `${verb === "attach" ? "Attaches to a domain the device" : "Detaches from a domain the device"} that a file describes.`,
		options: { domain: domainOption(), file, ...deviceAffectOptions },
		async run(context, args) {
			exclusive(args, "persistent", "current");
			const domain = await context.domain(args.domain);
			const xml = readFile(args.file);
			const flags = await deviceFlags(args, domain);
			await orFail(`Failed to ${verb} device from ${args.file}`, attachOrDetach(domain, verb, xml, flags));
			context.say(`Device ${done} successfully`);
		},
	});
}

/** The call with flags where something was said of where, else the older one, which means the running guest. */
export function attachOrDetach(
	domain: Domain,
	verb: "attach" | "detach",
	xml: string,
	flags: number | undefined,
): Promise<unknown> {
	if (flags === undefined)
		return domain.call(verb === "attach" ? "DOMAIN_ATTACH_DEVICE" : "DOMAIN_DETACH_DEVICE", { xml });
	return domain.call(verb === "attach" ? "DOMAIN_ATTACH_DEVICE_FLAGS" : "DOMAIN_DETACH_DEVICE_FLAGS", { xml, flags });
}

/** virDomainDeviceModifyFlags: go on though the guest has a medium locked. */
export const FORCE = 4;

const updateDevice = declare({
	name: "update-device",
	summary: "update device from an XML file",
	description: "Changes a device of a domain to what a file describes.",
	options: { domain: domainOption(), file, ...deviceAffectOptions, force: flag("though the guest holds the medium") },
	async run(context, args) {
		exclusive(args, "persistent", "current");
		const domain = await context.domain(args.domain);
		const flags = ((await deviceFlags(args, domain)) ?? 0) | (args.force ? FORCE : 0);
		const update = domain.call("DOMAIN_UPDATE_DEVICE_FLAGS", { xml: readFile(args.file), flags });
		await orFail(`Failed to update device from ${args.file}`, update);
		context.say("Device updated successfully");
	},
});

const detachAlias = declare({
	name: "detach-device-alias",
	summary: "detach device from an alias",
	description: "Asks the guest to let the device of that alias go; it is gone once the guest did.",
	options: {
		domain: domainOption(),
		alias: needed("the device's alias", { completes: "device-alias" }),
		...affectOptions,
	},
	async run(context, args) {
		const flags = affectFlags(args);
		const domain = await context.domain(args.domain);
		const { alias } = args;
		const detach = domain.call("DOMAIN_DETACH_DEVICE_ALIAS", { alias, flags });
		await orFail(`Failed to detach device with alias ${alias}`, detach);
		context.say("Device detach request sent successfully");
	},
});

export const attachCommands: readonly CliCommand[] = [
	deviceCommand("attach", "attached"),
	deviceCommand("detach", "detached"),
	updateDevice,
	detachAlias,
];
