// Limits what may pass through a network interface of the host, by tc(8): its queue shapes what is sent, a policer drops what comes in.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { VirtError } from "@virtkit/base/errors";
import { systemError } from "../system-error.ts";

const run = promisify(execFile);

/** A rate as libvirt's documents give it. */
export interface Rate {
	/** KiB a second on average. */
	readonly average: number;
	/** KiB a second at most; the average unless told. */
	readonly peak?: number | undefined;
	/** KiB that may pass at the peak's rate. */
	readonly burst?: number | undefined;
}

/** Limits by direction, as the host sees it; none where absent. */
export interface TrafficLimits {
	/** What the host sends through the interface. */
	readonly sent?: Rate | undefined;
	/** What the host receives through it. */
	readonly received?: Rate | undefined;
}

/** tc keeps a burst as a 32-bit number of bytes. */
const LARGEST_BURST_KIB = Math.floor(0xffffffff / 1024);
const BITS = 8;
const MTU = 1500;

/** Bytes that a class may send before its siblings' turn: what HTB would compute of the rate, never none. */
const quantumOf = ({ average }: Rate): number => Math.max(1, Math.floor((average * 1024) / BITS / MTU));

/** tc's commands, one a line. */
export interface LimitCommands {
	/** Without these there is no limit. */
	readonly needed: readonly string[];
	/** These share the rate out evenly between connections, where the kernel can. */
	readonly fair: readonly string[];
}

function shape(name: string, rate: Rate): LimitCommands {
	const ceiling = rate.peak ? ` ceil ${rate.peak}kbps` : "";
	const burst = rate.burst ? ` burst ${rate.burst}kb` : "";
	return {
		needed: [
			`qdisc add dev ${name} root handle 1: htb default 1`,
			`class add dev ${name} parent 1: classid 1:1 htb rate ${rate.average}kbps${ceiling}${burst} quantum ${quantumOf(rate)}`,
		],
		fair: [
			`qdisc add dev ${name} parent 1:1 handle 2: sfq perturb 10`,
			`filter add dev ${name} parent 1:0 protocol all prio 1 handle 1 fw flowid 1`,
		],
	};
}

function police(name: string, { average, burst }: Rate): string[] {
	const kib = burst || Math.min(average, LARGEST_BURST_KIB);
	return [
		`qdisc add dev ${name} ingress`,
		`filter add dev ${name} parent ffff: protocol all u32 match u32 0 0 police rate ${average}kbps burst ${kib}kb mtu 64kb drop flowid :1`,
	];
}

/** The commands that limit the interface, which has no limits yet; libvirt's (virNetDevBandwidthSet). */
export function limitCommands(name: string, { sent, received }: TrafficLimits): LimitCommands {
	const shaped = sent?.average ? shape(name, sent) : { needed: [], fair: [] };
	return { needed: [...shaped.needed, ...(received ? police(name, received) : [])], fair: shaped.fair };
}

/** Runs tc's commands. `doing` is the beginning of the error where one is refused; without it, tc goes on and nobody is told. */
async function tc(commands: readonly string[], doing?: string): Promise<void> {
	if (commands.length === 0) return;
	const force = doing === undefined ? ["-force"] : [];
	const running = run("tc", [...force, "-batch", "-"], { env: { ...process.env, LC_ALL: "C" } });
	// A tc that ends before it has read all is told of by its status.
	running.child.stdin?.on("error", () => undefined).end(`${commands.join("\n")}\n`);
	try {
		await running;
	} catch (error) {
		const said = (error as { stderr?: string }).stderr?.trim();
		if (!said) throw systemError(`${doing ?? "cannot take limits of traffic away"}: cannot run tc`, error);
		if (doing !== undefined) throw new VirtError("INTERNAL_ERROR", `${doing}: ${reason(said)}`, { cause: error });
	}
}

/** The first thing that tc said. */
const reason = (said: string): string => (said.split("\n")[0] ?? "").replace(/^(RTNETLINK answers|Error): /, "");

/** Takes all limits away; an interface without any, or that is not there, is left as it is. */
export function unlimitTraffic(name: string): Promise<void> {
	return tc([`qdisc del dev ${name} root`, `qdisc del dev ${name} ingress`]);
}

/** Has frames go out without a queue: a tap device needs none, since the guest has one (libvirt's default). */
export function unqueue(name: string): Promise<void> {
	return tc([`qdisc add dev ${name} root handle 0: noqueue`]);
}

/**
 * Makes these the interface's limits, in place of those it has.
 *
 * @throws VirtError INTERNAL_ERROR naming the interface and what the kernel lacks; the interface has no limits then.
 */
export async function limitTraffic(name: string, limits: TrafficLimits): Promise<void> {
	const { needed, fair } = limitCommands(name, limits);
	await unlimitTraffic(name);
	try {
		await tc(needed, `cannot limit the traffic of network interface '${name}'`);
	} catch (error) {
		await unlimitTraffic(name);
		throw error;
	}
	await tc(fair);
	if (!limits.sent?.average) await unqueue(name);
}
