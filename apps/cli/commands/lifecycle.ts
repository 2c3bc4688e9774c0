// Commands that start, stop and prod domains.

import { CommandError, orFail } from "../context.ts";
import { flag, named, namedNumber, needed, optional, optionalNumber, rest } from "../grammar/command.ts";
import { attachConsole } from "../shell/console.ts";
import { type CliCommand, declare, domainOption, passedFds } from "./declare.ts";
import { KEY_CODESETS, linuxKeyNumber } from "./key-codes.ts";

const start = declare({
	name: "start",
	summary: "start a (previously defined) inactive domain",
	description:
		"Start a domain, either from the last managedsave\nstate, or via a fresh boot if no managedsave state\nis present.",
	options: {
		domain: needed("name of the inactive domain", { completes: "inactive-domain" }),
		console: flag("attach to console after creation"),
		paused: flag("leave the guest paused after creation"),
		autodestroy: flag("automatically destroy the guest when virsh disconnects"),
		"bypass-cache": flag("avoid file system cache when loading"),
		"force-boot": flag("force fresh boot by discarding any managed save"),
		"pass-fds": optional("pass file descriptors N,M,... to the guest"),
		"reset-nvram": flag("re-initialize NVRAM from its pristine template"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		if (domain.id >= 0) throw new CommandError("Domain is already active");
		const fds = passedFds(args["pass-fds"]);
		const started = await orFail(
			`Failed to start domain '${domain.name}'`,
			domain.start({
				paused: args.paused,
				autodestroy: args.autodestroy,
				bypassCache: args["bypass-cache"],
				forceBoot: args["force-boot"],
				resetNvram: args["reset-nvram"],
				fds,
			}),
		);
		context.say(`Domain '${domain.name}' started`);
		if (args.console) await attachConsole(context, started, null, {});
	},
});

/** Splits --mode acpi,agent into libvirt's flags. */
function shutdownModes(mode: string | undefined): Record<string, boolean> {
	const modes = mode === undefined ? [] : mode.split(",");
	for (const one of modes)
		if (!["acpi", "agent", "initctl", "signal", "paravirt"].includes(one))
			throw new CommandError(
				`Unknown mode ${one} value, expecting 'acpi', 'agent', 'initctl', 'signal', or 'paravirt'`,
			);
	return Object.fromEntries(modes.map((one) => [one, true]));
}

const shutdownMode = optional("shutdown mode: acpi|agent|initctl|signal|paravirt", {
	completes: ["acpi", "agent", "initctl", "signal", "paravirt"],
});

const shutdown = declare({
	name: "shutdown",
	summary: "gracefully shutdown a domain",
	description: "Run shutdown in the target domain.",
	options: { domain: domainOption("active-domain"), mode: shutdownMode },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		await orFail(`Failed to shutdown domain '${domain.name}'`, domain.shutdown(shutdownModes(args.mode)));
		context.say(`Domain '${domain.name}' is being shutdown`);
	},
});

const reboot = declare({
	name: "reboot",
	summary: "reboot a domain",
	description: "Run a reboot command in the target domain.",
	options: { domain: domainOption("active-domain"), mode: shutdownMode },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		await orFail(`Failed to reboot domain '${domain.name}'`, domain.reboot(shutdownModes(args.mode)));
		context.say(`Domain '${domain.name}' is being rebooted`);
	},
});

/** Commands that are one call and one confirmation. */
function plain(
	name: string,
	summary: string,
	description: string,
	call: "reset" | "suspend" | "resume" | "injectNmi",
	done?: string,
): CliCommand {
	return declare({
		name,
		summary,
		description,
		options: { domain: domainOption("active-domain") },
		async run(context, args) {
			const domain = await context.domain(args.domain);
			if (done === undefined) return domain[call]();
			await orFail(`Failed to ${call} domain '${domain.name}'`, domain[call]());
			context.say(`Domain '${domain.name}' ${done}`);
		},
	});
}

const destroy = declare({
	name: "destroy",
	summary: "destroy (stop) a domain",
	description: "Forcefully stop a given domain, but leave its resources intact.",
	options: {
		domain: domainOption("active-domain"),
		graceful: flag("terminate gracefully"),
		"remove-logs": flag("remove domain logs"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const options = { graceful: args.graceful, removeLogs: args["remove-logs"] };
		await orFail(`Failed to destroy domain '${domain.name}'`, domain.destroy(options));
		context.say(`Domain '${domain.name}' destroyed`);
	},
});

const sendKey = declare({
	name: "send-key",
	summary: "Send keycodes to the guest",
	description: "Send keycodes (integers or symbolic names) to the guest",
	options: {
		domain: domainOption("active-domain"),
		codeset: named("the codeset of keycodes, default:linux", { completes: Object.keys(KEY_CODESETS) }),
		holdtime: namedNumber("the time (in milliseconds) how long the keys will be held"),
		keycode: rest("the key code", { required: true }),
	},
	async run(context, args) {
		const codeset = KEY_CODESETS[args.codeset ?? "linux"];
		if (codeset === undefined) throw new CommandError(`unknown codeset: '${args.codeset}'`);
		const codes = args.keycode.map((spelled) => {
			const code = /^(0x[0-9a-f]+|\d+)$/i.test(spelled)
				? Number(spelled)
				: codeset === 0
					? linuxKeyNumber(spelled)
					: undefined;
			if (code === undefined) throw new CommandError(`invalid keycode: '${spelled}'`);
			return code;
		});
		await (await context.domain(args.domain)).sendKey(codes, codeset, args.holdtime ?? 0);
	},
});

const console = declare({
	name: "console",
	summary: "connect to the guest console",
	description: "Connect the virtual serial console for the guest",
	options: {
		domain: domainOption("active-domain"),
		devname: optional("character device name"),
		force: flag("force console connection (disconnect already connected sessions)"),
		safe: flag("only connect if safe console handling is supported"),
		resume: flag("resume a paused guest after connecting to console"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		if ((await domain.state()).state === "shutoff") throw new CommandError("The domain is not running");
		await attachConsole(
			context,
			domain,
			args.devname ?? null,
			{ force: args.force, safe: args.safe },
			args.resume ? () => domain.resume() : undefined,
		);
	},
});

const screenshot = declare({
	name: "screenshot",
	summary: "take a screenshot of a current domain console and store it into a file",
	description: "screenshot of a current domain console",
	options: {
		domain: domainOption("active-domain"),
		file: optional("where to store the screenshot", { completes: "file" }),
		screen: optionalNumber("ID of a screen to take screenshot of"),
	},
	async run(context, args) {
		const { writeStream, screenshotName } = await import("../output/screenshot.ts");
		const domain = await context.domain(args.domain);
		const { mime, image } = await orFail(
			`could not take a screenshot of ${domain.name}`,
			domain.screenshot(args.screen ?? 0),
		);
		const file = args.file ?? screenshotName(domain.name, mime);
		await writeStream(image, file);
		context.say(`Screenshot saved to ${file}, with type of ${mime}`);
	},
});

export const lifecycleCommands: readonly CliCommand[] = [
	start,
	shutdown,
	reboot,
	plain("reset", "reset a domain", "Reset the target domain as if by power button", "reset", "was reset"),
	plain("suspend", "suspend a domain", "Suspend a running domain.", "suspend", "suspended"),
	plain("resume", "resume a domain", "Resume a previously suspended domain.", "resume", "resumed"),
	plain("inject-nmi", "Inject NMI to the guest", "Inject NMI to the guest domain.", "injectNmi"),
	destroy,
	sendKey,
	console,
	screenshot,
];
