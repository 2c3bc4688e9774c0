// The guest agent of a run: reached while a program of the guest has its channel open.

import { toVirtError, VirtError } from "@virtkit/base/errors";
import { type ChannelDef, GUEST_AGENT_CHANNEL } from "@virtkit/model/domain/channel";
import { type AgentCallOptions, GuestAgent } from "@virtkit/qmp/guest-agent";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";

/** What "the daemon's own time" to wait for an answer is, in milliseconds; libvirt's QEMU_AGENT_WAIT_TIME. */
export const DEFAULT_DEADLINE_MS = 5_000;

/** virDomainAgentResponseTimeoutValues. */
const TIMEOUT = { block: -2, default: -1 } as const;

/** Milliseconds of one of libvirt's agent timeouts: seconds, or those two. Throws INVALID_ARG where it is less. */
export function deadlineOf(timeout: number): number {
	if (timeout < TIMEOUT.block)
		throw new VirtError("INVALID_ARG", `guest agent timeout '${timeout}' is less than the minimum '${TIMEOUT.block}'`);
	if (timeout === TIMEOUT.block) return Number.POSITIVE_INFINITY;
	return timeout === TIMEOUT.default ? DEFAULT_DEADLINE_MS : timeout * 1000;
}

/** Connections, from the first command until the channel closes. */
const AGENTS = new WeakMap<Run, GuestAgent>();

/** A program of the guest opened or closed the agent's channel. */
export function agentChannelChanged(_driver: Driver, _domain: QemuDomain, run: Run, open: boolean): void {
	run.agentOpen = open;
	if (!open) disconnect(run);
}

function disconnect(run: Run): void {
	void AGENTS.get(run)?.[Symbol.asyncDispose]();
	AGENTS.delete(run);
}

/** The channel that the agent would use. */
export function agentChannel(run: Run): ChannelDef | undefined {
	return run.live.def.devices.channels.find(
		({ type, target }) => type === "unix" && target.type === "virtio" && target.name === GUEST_AGENT_CHANNEL,
	);
}

/** Whether a program of the guest has the agent's channel open. */
export function agentConnected(run: Run): boolean {
	const target = agentChannel(run)?.target;
	// After the daemon came back, the definition knows what no event has told since.
	return run.agentOpen || (target?.type === "virtio" && target.state === "connected");
}

/** The agent of a guest that runs. Throws in libvirt's words where there is none to speak to (qemuDomainAgentAvailable). */
export function agentOf(domain: QemuDomain): GuestAgent {
	const run = domain.activeRun();
	if (domain.stateName !== "running") throw new VirtError("OPERATION_INVALID", "domain is not running");
	const path = agentChannel(run)?.source?.path;
	if (path === undefined) throw new VirtError("ARGUMENT_UNSUPPORTED", "QEMU guest agent is not configured");
	if (!agentConnected(run)) throw new VirtError("AGENT_UNRESPONSIVE", "QEMU guest agent is not connected");
	const agent = connectionOf(run, path);
	const deadlineMs = deadlineOf(domain.agentTimeout);
	// An agent that is there at all synchronises soon, however long its work may take.
	agent.setDeadlines({ deadlineMs, syncDeadlineMs: Math.min(deadlineMs, DEFAULT_DEADLINE_MS) });
	return agent;
}

function connectionOf(run: Run, path: string): GuestAgent {
	const known = AGENTS.get(run);
	if (known) return known;
	const agent = new GuestAgent(path);
	AGENTS.set(run, agent);
	run.resources.defer("the guest agent's connection", () => disconnect(run));
	return agent;
}

/** Speaks to the agent; that it does not answer or went away is said in libvirt's words. */
export async function withAgent<T>(domain: QemuDomain, speak: (agent: GuestAgent) => Promise<T>): Promise<T> {
	const agent = agentOf(domain);
	try {
		return await speak(agent);
	} catch (thrown) {
		throw inLibvirtsWords(thrown);
	}
}

function inLibvirtsWords(thrown: unknown): VirtError {
	const error = toVirtError(thrown);
	if (error.code !== "AGENT_UNRESPONSIVE") return error;
	const late = error.cause instanceof VirtError && error.cause.code === "OPERATION_TIMEOUT";
	const words = late ? "Guest agent not available for now" : "Guest agent disappeared while executing command";
	return new VirtError("AGENT_UNRESPONSIVE", words, { cause: error });
}

/** Has the agent shut the guest down or reboot it. It answers only where it will not; that the guest ends is the answer. */
export async function shutDownByAgent(domain: QemuDomain, reboot: boolean): Promise<void> {
	const { monitor } = domain.activeRun();
	const end = new AbortController();
	const options = { deadlineMs: 60_000, signal: end.signal };
	const ended = Promise.race([
		monitor.waitForEvent(reboot ? "RESET" : "SHUTDOWN", () => true, options),
		monitor.waitForEvent("SHUTDOWN", () => true, options),
	]);
	ended.catch(() => undefined);
	try {
		const call: AgentCallOptions = { deadlineMs: 60_000, until: ended };
		await withAgent(domain, (agent) =>
			agent.execute("guest-shutdown", { mode: reboot ? "reboot" : "powerdown" }, call),
		);
	} finally {
		end.abort();
	}
}
