// Commands for the smaller things of a running guest: power states, actions, signals, secrets, its dirty rate.

import { readFileSync } from "node:fs";
import type { TypedParameter } from "@virtkit/protocol/types/typed-parameter";
import { CommandError, orFail, systemErrorText } from "../context.ts";
import { flag, named, namedNumber, needed, neededSize, optional, optionalNumber } from "../grammar/command.ts";
import { parseBytes } from "../output/size.ts";
import { formatValue, text, ullong } from "../output/typed-parameter.ts";
import { affectFlags, affectOptions, type CliCommand, declare, domainOption, exclusive } from "./declare.ts";
import { SIGNALS } from "./signals.ts";

const setvcpu = declare({
	name: "setvcpu",
	summary: "attach/detach vcpu or groups of threads",
	description: "Plugs single vCPUs of a guest in, or takes them out.",
	options: {
		domain: domainOption(),
		vcpulist: needed("vCPUs, such as 2-3"),
		enable: flag("plug them in"),
		disable: flag("take them out"),
		...affectOptions,
	},
	async run(context, args) {
		exclusive(args, "enable", "disable");
		const flags = affectFlags(args);
		if (!args.enable && !args.disable) throw new CommandError("one of --enable, --disable is required");
		const domain = await context.domain(args.domain);
		await domain.call("DOMAIN_SET_VCPU", { cpumap: args.vcpulist, state: args.enable ? 1 : 0, flags });
	},
});

/** virNodeSuspendTarget */
const SUSPEND_TARGETS = ["mem", "disk", "hybrid"];

const dompmsuspend = declare({
	name: "dompmsuspend",
	summary: "suspend a domain gracefully using power management functions",
	description: "Has the guest sleep, by its agent.",
	options: {
		domain: domainOption("active-domain"),
		target: needed("mem, disk or hybrid", { completes: SUSPEND_TARGETS }),
		duration: namedNumber("seconds until it wakes"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const target = SUSPEND_TARGETS.indexOf(args.target);
		if (target === -1) throw new CommandError("Invalid target");
		const suspend = { target, duration: BigInt(args.duration ?? 0), flags: 0 };
		await orFail(
			`Domain '${domain.name}' could not be suspended`,
			domain.call("DOMAIN_PM_SUSPEND_FOR_DURATION", suspend),
		);
		context.sayInline(`Domain '${domain.name}' successfully suspended`);
	},
});

const dompmwakeup = declare({
	name: "dompmwakeup",
	summary: "wakeup a domain from pmsuspended state",
	description: "Wakes a guest that sleeps.",
	options: { domain: domainOption("active-domain") },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		await orFail(`Domain '${domain.name}' could not be woken up`, domain.call("DOMAIN_PM_WAKEUP", { flags: 0 }));
		context.sayInline(`Domain '${domain.name}' successfully woken up`);
	},
});

/** virDomainLifecycle and virDomainLifecycleAction */
const LIFECYCLES = ["poweroff", "reboot", "crash"];
const ACTIONS = ["destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart"];

const setLifecycleAction = declare({
	name: "set-lifecycle-action",
	summary: "change lifecycle actions",
	description: "Says what becomes of a guest that powers off, reboots or crashes.",
	options: {
		domain: domainOption(),
		type: needed("poweroff, reboot or crash", { completes: LIFECYCLES }),
		action: needed("what is done then", { completes: ACTIONS }),
		...affectOptions,
	},
	async run(context, args) {
		const flags = affectFlags(args);
		const [type, action] = [LIFECYCLES.indexOf(args.type), ACTIONS.indexOf(args.action)];
		if (type === -1) throw new CommandError(`Invalid lifecycle type '${args.type}'.`);
		if (action === -1) throw new CommandError(`Invalid lifecycle action '${args.action}'.`);
		const domain = await context.domain(args.domain);
		const set = domain.call("DOMAIN_SET_LIFECYCLE_ACTION", { type, action, flags });
		await orFail("Unable to change lifecycle action.", set);
	},
});

/** libvirt's number of a signal given as a number or a name, with or without `sig`. */
function signalNumber(spelled: string): number {
	const word = spelled.toLowerCase().replace(/^sig_?/, "");
	const found = /^\d+$/.test(word) ? Number(word) : SIGNALS.indexOf(word);
	if (found === -1) throw new CommandError(`malformed signal name: ${spelled}`);
	return found;
}

const sendProcessSignal = declare({
	name: "send-process-signal",
	summary: "Send signals to processes",
	description: "Sends a signal to a process inside the guest.",
	options: {
		domain: domainOption("active-domain"),
		pid: needed("number of the process"),
		signame: needed("number or name of the signal", { completes: SIGNALS }),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		if (!/^-?\d+$/.test(args.pid))
			throw new CommandError(`Numeric value '${args.pid}' for <pid> option is malformed or out of range`);
		const signal = { pidValue: BigInt(args.pid), signum: signalNumber(args.signame), flags: 0 };
		await domain.call("DOMAIN_SEND_PROCESS_SIGNAL", signal);
	},
});

/** virDomainDirtyRateCalcFlags */
const DIRTY_RATE_MODES: Readonly<Record<string, number>> = { "page-sampling": 0, "dirty-bitmap": 1, "dirty-ring": 2 };

const domdirtyrateCalc = declare({
	name: "domdirtyrate-calc",
	summary: "Calculate a vm's memory dirty rate",
	description: "Has the daemon measure how fast a guest writes to its memory; domstats --dirtyrate tells the outcome.",
	options: {
		domain: domainOption("active-domain"),
		seconds: optionalNumber("how long it is measured"),
		mode: optional("how: page-sampling, dirty-bitmap or dirty-ring", { completes: Object.keys(DIRTY_RATE_MODES) }),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const flags = DIRTY_RATE_MODES[args.mode ?? "page-sampling"];
		if (flags === undefined) throw new CommandError(`Unknown calculation mode '${args.mode}'`);
		await domain.call("DOMAIN_START_DIRTY_RATE_CALC", { seconds: args.seconds ?? 1, flags });
		context.say("Start to calculate domain's memory dirty rate successfully.");
	},
});

const launchInfo = declare({
	name: "domlaunchsecinfo",
	summary: "Get domain launch security info",
	description: "Tells what a guest with encrypted memory was started with.",
	options: { domain: domainOption("active-domain") },
	async run(context, args) {
		const domain = await context.domain(args.domain);
		const ask = domain.call("DOMAIN_GET_LAUNCH_SECURITY_INFO", { flags: 0 });
		const { params } = await orFail("Unable to get launch security parameters", ask);
		const facts = params.map((parameter) => [parameter.field, formatValue(parameter)] as const);
		if (context.options.json) return context.facts(facts, 0);
		for (const [field, value] of facts) context.print(`${field.padEnd(15)}: ${value}`);
	},
});

function textOfFile(file: string): string {
	try {
		return readFileSync(file, "utf8");
	} catch (failure) {
		throw new CommandError(`Failed to open file '${file}': ${systemErrorText(failure)}`);
	}
}

const setLaunchState = declare({
	name: "domsetlaunchsecstate",
	summary: "Set domain launch security state",
	description: "Puts a secret into a paused guest with encrypted memory.",
	options: {
		domain: domainOption("active-domain"),
		secrethdr: named("file with the secret's header", { completes: "file" }),
		secret: named("file with the secret", { completes: "file" }),
		"set-address": optionalNumber("guest's address that it is put at"),
	},
	async run(context, args) {
		const domain = await context.domain(args.domain);
		if (args.secrethdr === undefined || args.secret === undefined)
			throw new CommandError("Both secret and the secret header are required");
		const params: TypedParameter[] = [
			text("sev-secret-header", textOfFile(args.secrethdr)),
			text("sev-secret", textOfFile(args.secret)),
			...(args["set-address"] === undefined ? [] : [ullong("sev-secret-set-address", args["set-address"])]),
		];
		const set = domain.call("DOMAIN_SET_LAUNCH_SECURITY_STATE", { params, flags: 0 });
		await orFail("Unable to set launch security state", set);
	},
});

const domblkthreshold = declare({
	name: "domblkthreshold",
	summary: "set the threshold for block-threshold event for a given block device or it's backing chain element",
	description: "Has the daemon tell, by an event, when a guest has written so much to an image.",
	options: {
		domain: domainOption("active-domain"),
		dev: needed("the disk's target, or an image of it as vda[1]", { completes: "disk" }),
		threshold: neededSize("bytes"),
	},
	async run(context, args) {
		const threshold = parseBytes(args.threshold, 1n, "threshold");
		const domain = await context.domain(args.domain);
		await domain.call("DOMAIN_SET_BLOCK_THRESHOLD", { dev: args.dev, threshold, flags: 0 });
	},
});

const qemuAttach = declare({
	name: "qemu-attach",
	summary: "QEMU Attach",
	description: "Takes a QEMU that runs already under the daemon's care.",
	options: { pid: needed("number of its process") },
	async run(context, args) {
		if (!/^\d+$/.test(args.pid))
			throw new CommandError(`Numeric value '${args.pid}' for <pid> option is malformed or out of range`);
		const { rpc } = await context.connection;
		const attach = rpc.call("DOMAIN_ATTACH", { pidValue: Number(args.pid), flags: 0 }, { program: "qemu" });
		const { dom } = await orFail(`Failed to attach to pid ${args.pid}`, attach);
		context.say(`Domain '${dom.name}' attached to pid ${args.pid}`);
	},
});

export const controlCommands: readonly CliCommand[] = [
	setvcpu,
	dompmsuspend,
	dompmwakeup,
	setLifecycleAction,
	sendProcessSignal,
	domdirtyrateCalc,
	launchInfo,
	setLaunchState,
	domblkthreshold,
	qemuAttach,
];
