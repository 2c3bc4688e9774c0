// Commands that the guest agent answers: its file systems, addresses, users, time, and what it tells of itself.

import { readFileSync } from "node:fs";
import type { TypedParameter } from "@virtkit/protocol/types/typed-parameter";
import { type CliContext, CommandError, orFail, systemErrorText } from "../context.ts";
import { flag, namedNumber, needed, optional, optionalNumber, rest } from "../grammar/command.ts";
import { formatValue } from "../output/typed-parameter.ts";
import { type CliCommand, declare, domainOption, exclusive, requires } from "./declare.ts";

const active = domainOption("active-domain");

/** Parameters one a line, the name padded to `width`. */
function printParameters(context: CliContext, params: readonly TypedParameter[], width: number): void {
	const facts = params.map((parameter) => [parameter.field, formatValue(parameter)] as const);
	if (context.options.json) return context.facts(facts, 0);
	for (const [field, value] of facts) context.print(`${field.padEnd(width)}: ${value}`);
}

const domfsinfo = declare({
	name: "domfsinfo",
	summary: "Get information of domain's mounted filesystems.",
	description: "Lists the file systems that are mounted in the guest, and the disks that they are on.",
	options: { domain: active },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const { info } = await orFail(
			"Unable to get filesystem information",
			domain.call("DOMAIN_GET_FSINFO", { flags: 0 }),
		);
		if (info.length === 0 && !context.options.json)
			return context.sayInline("No filesystems are mounted in the domain");
		context.table(
			["Mountpoint", "Name", "Type", "Target"],
			info.map(({ mountpoint, name, fstype, devAliases }) => [mountpoint, name, fstype, devAliases.join(",")]),
		);
	},
});

/** Freezing and thawing differ in the call and the words. */
function freezing(name: string, verb: "freeze" | "thaw", done: string): CliCommand {
	return declare({
		name,
		summary: `${verb === "freeze" ? "Freeze" : "Thaw"} domain's mounted filesystems.`,
		description: "Those named, or all of them.",
		options: { domain: active, mountpoint: rest("where they are mounted in the guest") },
		async run(context, args) {
			const domain = await context.domain(args.domain);
			const call = domain.call(verb === "freeze" ? "DOMAIN_FSFREEZE" : "DOMAIN_FSTHAW", {
				mountpoints: [...args.mountpoint],
				flags: 0,
			});
			const { filesystems } = await orFail(`Unable to ${verb} filesystems`, call);
			context.say(`${done} ${filesystems} filesystem(s)`);
		},
	});
}

const domfstrim = declare({
	name: "domfstrim",
	summary: "Invoke fstrim on domain's mounted filesystems.",
	description: "Gives the blocks that the guest's file systems do not use back to the host.",
	options: {
		domain: active,
		minimum: optionalNumber("smallest range to give back, in bytes"),
		mountpoint: optional("the file system, where not all of them"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const call = domain.call("DOMAIN_FSTRIM", {
			mountPoint: args.mountpoint ?? null,
			minimum: BigInt(args.minimum ?? 0),
			flags: 0,
		});
		await orFail("Unable to invoke fstrim", call);
	},
});

/** virDomainGuestInfoTypes */
const GUEST_INFO = { user: 1, os: 2, timezone: 4, hostname: 8, filesystem: 16, disk: 32, interface: 64 } as const;

const guestinfo = declare({
	name: "guestinfo",
	summary: "query information about the guest (via agent)",
	description: "Tells what the guest agent knows of the guest: all of it, or the groups that are asked for.",
	options: {
		domain: active,
		user: flag("users that are logged in"),
		os: flag("the operating system"),
		timezone: flag("the time zone"),
		hostname: flag("the guest's name for itself"),
		filesystem: flag("file systems that are mounted"),
		disk: flag("disks"),
		interface: flag("network interfaces"),
	},
	async run(context, args) {
		const groups = Object.entries(GUEST_INFO).filter(([name]) => args[name as keyof typeof GUEST_INFO]);
		const types = groups.reduce((sum, [, bit]) => sum | bit, 0);
		const domain = await context.domain(args.domain);
		printParameters(context, (await domain.call("DOMAIN_GET_GUEST_INFO", { types, flags: 0 })).params, 20);
	},
});

const guestvcpus = declare({
	name: "guestvcpus",
	summary: "query or modify state of vcpu in the guest (via agent)",
	description: "Shows which vCPUs the guest uses, or has it take some up or let them go.",
	options: {
		domain: domainOption(),
		cpulist: optional("vCPUs, such as 1-2"),
		enable: flag("have the guest use them"),
		disable: flag("have the guest let them go"),
	},
	async run(context, args) {
		exclusive(args, "enable", "disable");
		requires(args, "enable", "cpulist");
		requires(args, "disable", "cpulist");
		if (args.cpulist !== undefined && !args.enable && !args.disable)
			throw new CommandError("One of options --enable or --disable is required by option --cpulist");
		const domain = await context.domain(args.domain);
		if (args.cpulist !== undefined) {
			const set = { cpumap: args.cpulist, state: args.enable ? 1 : 0, flags: 0 };
			return domain.call("DOMAIN_SET_GUEST_VCPUS", set);
		}
		printParameters(context, (await domain.call("DOMAIN_GET_GUEST_VCPUS", { flags: 0 })).params, 15);
	},
});

const setUserPassword = declare({
	name: "set-user-password",
	summary: "set the user password inside the domain",
	description: "Sets the password of a user in the guest.",
	options: {
		domain: active,
		user: needed("the user"),
		password: needed("the new password"),
		encrypted: flag("the password is encrypted already"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const { user, password } = args;
		await domain.call("DOMAIN_SET_USER_PASSWORD", { user, password, flags: args.encrypted ? 1 : 0 });
		context.sayInline(`Password set successfully for ${user} in ${args.domain}`);
	},
});

const getUserSshkeys = declare({
	name: "get-user-sshkeys",
	summary: "list authorized SSH keys for given user (via agent)",
	description: "Prints the keys that a user of the guest may log in with.",
	options: { domain: active, user: needed("the user") },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const { keys } = await domain.call("DOMAIN_AUTHORIZED_SSH_KEYS_GET", { user: args.user, flags: 0 });
		if (context.options.json) context.print(JSON.stringify(keys, undefined, 2));
		else for (const key of keys) context.terminal.out(key);
	},
});

/** virDomainAuthorizedSSHKeysSetFlags */
const [SSH_APPEND, SSH_REMOVE] = [1, 2];

const setUserSshkeys = declare({
	name: "set-user-sshkeys",
	summary: "manipulate authorized SSH keys file for given user (via agent)",
	description: "Adds keys to those that a user of the guest may log in with, takes some away, or replaces all.",
	options: {
		domain: active,
		user: needed("the user"),
		file: optional("file with the keys, one a line", { completes: "file" }),
		reset: flag("replace the keys that are there"),
		remove: flag("take the keys away"),
	},
	async run(context, args) {
		requires(args, "remove", "file");
		exclusive(args, "reset", "remove");
		const domain = await context.domain(args.domain);
		if (!args.remove && !args.reset && args.file === undefined) throw new CommandError("Option --file is required");
		const keys = args.file === undefined ? [] : readKeys(args.file);
		const flags = args.remove ? SSH_REMOVE : args.reset ? 0 : SSH_APPEND;
		await domain.call("DOMAIN_AUTHORIZED_SSH_KEYS_SET", { user: args.user, keys, flags });
	},
});

function readKeys(file: string): string[] {
	try {
		return readFileSync(file, "utf8").split("\n");
	} catch (failure) {
		throw new CommandError(`Failed to open file '${file}': ${systemErrorText(failure)}`);
	}
}

const domtime = declare({
	name: "domtime",
	summary: "domain time",
	description: "Shows or sets the time of the guest's clock, through the guest agent.",
	options: {
		domain: active,
		now: flag("set it to the host's time"),
		pretty: flag("show it for people"),
		sync: flag("have the guest set it from its own hardware clock"),
		time: optionalNumber("seconds since 1970 to set it to"),
	},
	async run(context, args) {
		exclusive(args, "time", "now");
		exclusive(args, "time", "sync");
		exclusive(args, "now", "sync");
		const domain = await context.domain(args.domain);
		if (args.time !== undefined || args.now || args.sync) {
			const seconds = BigInt(args.now ? Math.floor(Date.now() / 1000) : (args.time ?? 0));
			return domain.call("DOMAIN_SET_TIME", { seconds, nseconds: 0, flags: args.sync ? 1 : 0 });
		}
		const { seconds } = await domain.call("DOMAIN_GET_TIME", { flags: 0 });
		const shown = args.pretty
			? new Date(Number(seconds) * 1000).toISOString().slice(0, 19).replace("T", " ")
			: String(seconds);
		if (context.options.json) context.facts([["time", shown]], 0);
		else context.terminal.out(`Time: ${shown}`);
	},
});

/** virDomainInterfaceAddressesSource */
const ADDRESS_SOURCES = ["lease", "agent", "arp"];

const domifaddr = declare({
	name: "domifaddr",
	summary: "Get network interfaces' addresses for a running domain",
	description: "Lists the addresses of a guest's network interfaces.",
	options: {
		domain: active,
		interface: optional("one interface alone", { completes: "interface" }),
		full: flag("repeat name and MAC address for each address"),
		source: optional("who is asked: lease, agent or arp", { completes: ADDRESS_SOURCES }),
	},
	async run(context, args) {
		const source = args.source === undefined ? 0 : ADDRESS_SOURCES.indexOf(args.source);
		if (source === -1) throw new CommandError(`Unknown data source '${args.source}'`);
		const domain = await context.domain(args.domain);
		const { ifaces } = await orFail(
			"Failed to query for interfaces addresses",
			domain.call("DOMAIN_INTERFACE_ADDRESSES", { source, flags: 0 }),
		);
		const shown = ifaces.filter(({ name }) => args.interface === undefined || name === args.interface);
		const rows = shown.flatMap(({ name, hwaddr, addrs }) =>
			addrs.length === 0
				? [[name, hwaddr ?? "N/A", "N/A", "N/A"]]
				: addrs.map(({ type, addr, prefix }, index) => [
						...(args.full || index === 0 || context.options.json ? [name, hwaddr ?? ""] : ["-", "-"]),
						type === 0 ? "ipv4" : "ipv6",
						`${addr}/${prefix}`,
					]),
		);
		if (context.options.json) return context.table(["Name", "MAC address", "Protocol", "Address"], rows);
		context.say(
			` ${"Name".padEnd(10)} ${"MAC address".padEnd(20)} ${"Protocol".padEnd(8)}     Address\n${"-".repeat(79)}`,
		);
		for (const [name = "", mac = "", protocol = "", address] of rows)
			context.print(` ${name.padEnd(10)} ${mac.padEnd(17)}    ${protocol.padEnd(12)} ${address}`);
	},
});

const guestAgentTimeout = declare({
	name: "guest-agent-timeout",
	summary: "Set the guest agent timeout",
	description: "Sets how long the daemon waits for answers of a guest's agent.",
	options: {
		domain: domainOption(),
		timeout: namedNumber("seconds; −2 waits for ever, −1 is the daemon's own, 0 does not wait"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		await domain.call("DOMAIN_AGENT_SET_RESPONSE_TIMEOUT", { timeout: args.timeout ?? -2, flags: 0 });
	},
});

export const guestCommands: readonly CliCommand[] = [
	domfsinfo,
	freezing("domfsfreeze", "freeze", "Froze"),
	freezing("domfsthaw", "thaw", "Thawed"),
	domfstrim,
	guestinfo,
	guestvcpus,
	setUserPassword,
	getUserSshkeys,
	setUserSshkeys,
	domtime,
	domifaddr,
	guestAgentTimeout,
];
