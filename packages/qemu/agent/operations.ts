// Operations that the guest agent carries out: any command of its own, host name, time, sleep.

import { VirtError } from "@virtkit/base/errors";
import type { CallContext, DomainOperations } from "@virtkit/core/domain-operations";
import type { QemuDomain } from "../domain/domain.ts";
import { saveStatusNow } from "../lifecycle/status-file.ts";
import { isX86 } from "../machine.ts";
import { accountOperations } from "./accounts.ts";
import { interfaceAddresses } from "./addresses.ts";
import { deadlineOf, withAgent } from "./agent.ts";
import { compactJson } from "./compact-json.ts";
import { filesystemOperations } from "./file-systems.ts";
import { guestInfo } from "./guest-info.ts";

/** VIR_DOMAIN_TIME_SYNC. */
const SYNC = 1;
/** virDomainGetHostnameFlags. */
const HOSTNAME_FLAG = { lease: 1, agent: 2 } as const;
/** virNodeSuspendTarget: commands of the agent by the number. */
const SUSPEND = ["guest-suspend-ram", "guest-suspend-disk", "guest-suspend-hybrid"] as const;

const NANOSECONDS = 1_000_000_000n;
/** The agent keeps times in signed 64 bits of nanoseconds. */
const MAX_SECONDS = 0x7fff_ffff_ffff_ffffn / NANOSECONDS;

async function hostname(domain: QemuDomain, flags: number, { signal }: CallContext): Promise<string> {
	if (flags === (HOSTNAME_FLAG.lease | HOSTNAME_FLAG.agent))
		throw new VirtError(
			"INVALID_ARG",
			"Flags 'VIR_DOMAIN_GET_HOSTNAME_LEASE' and 'VIR_DOMAIN_GET_HOSTNAME_AGENT' are mutually exclusive in qemuDomainGetHostname",
		);
	// Leases belong to virtual networks, which this driver has none of.
	if (flags & HOSTNAME_FLAG.lease) throw new VirtError("NO_HOSTNAME", `no hostname found for domain ${domain.name}`);
	const answer = await withAgent(domain, (agent) => agent.execute("guest-get-host-name", undefined, { signal }));
	return answer["host-name"];
}

async function time(
	domain: QemuDomain,
	_flags: number,
	{ signal }: CallContext,
): Promise<{ seconds: bigint; nanoseconds: number }> {
	// As text: a JSON number of nanoseconds has more digits than JavaScript's.
	const text = await withAgent(domain, (agent) => agent.executeText('{"execute":"guest-get-time"}', { signal }));
	const nanoseconds = BigInt(/"return"\s*:\s*(-?\d+)/.exec(text)?.[1] ?? 0);
	return { seconds: nanoseconds / NANOSECONDS, nanoseconds: Number(nanoseconds % NANOSECONDS) };
}

async function setTime(
	domain: QemuDomain,
	to: { seconds: bigint; nanoseconds: number },
	flags: number,
	{ signal }: CallContext,
): Promise<void> {
	if ((flags & SYNC) === 0 && to.seconds > MAX_SECONDS)
		throw new VirtError("INVALID_ARG", `Time '${to.seconds}' is too big for guest agent`);
	const sum = to.seconds * NANOSECONDS + BigInt(to.nanoseconds);
	const args = flags & SYNC ? "" : `,"arguments":{"time":${sum}}`;
	await withAgent(domain, (agent) => agent.executeText(`{"execute":"guest-set-time"${args}}`, { signal }));
	const run = domain.activeRun();
	// Ticks that the guest missed must not be caught up with on top of the new time.
	if (isX86(run.live.def)) {
		using _job = await domain.lock.begin("modify", "virDomainSetTime");
		await run.monitor.execute("rtc-reset-reinjection");
	}
}

async function pmSuspend(domain: QemuDomain, target: number, duration: bigint): Promise<void> {
	if (duration !== 0n) throw new VirtError("ARGUMENT_UNSUPPORTED", "Duration not supported. Use 0 for now");
	const command = SUSPEND[target];
	if (command === undefined) throw new VirtError("INVALID_ARG", `Unknown suspend target: ${target}`);
	const { monitor, live } = domain.activeRun();
	await withAgent(domain, async (agent) => {
		const machine = await monitor.execute("query-current-machine");
		if (!machine["wakeup-suspend-support"])
			throw new VirtError("OPERATION_UNSUPPORTED", "Domain does not have suspend support");
		const { pm } = live.def;
		const toDisk = command === "guest-suspend-disk";
		if (!toDisk && pm?.["suspend-to-mem"]?.enabled === false)
			throw new VirtError("INTERNAL_ERROR", "S3 state is disabled for this domain");
		if (toDisk && pm?.["suspend-to-disk"]?.enabled === false)
			throw new VirtError("INTERNAL_ERROR", "S4 state is disabled for this domain");
		const slept = monitor.waitForEvent(toDisk ? "SUSPEND_DISK" : "SUSPEND", () => true, { deadlineMs: 60_000 });
		slept.catch(() => undefined);
		await agent.execute(command, {}, { deadlineMs: 60_000, until: slept });
	});
}

/** Kept until the daemon ends where nothing runs, as libvirt does; a running guest's is in its status file. */
async function setAgentTimeout(domain: QemuDomain, timeout: number): Promise<void> {
	deadlineOf(timeout);
	domain.agentTimeout = timeout;
	const { run } = domain;
	if (run !== undefined && run.phase !== "ended") await saveStatusNow(domain, run);
}

export const agentOperations: Pick<
	DomainOperations<QemuDomain>,
	| keyof typeof filesystemOperations
	| keyof typeof accountOperations
	| "agentCommand"
	| "setAgentTimeout"
	| "guestInfo"
	| "interfaceAddresses"
	| "hostname"
	| "time"
	| "setTime"
	| "pmSuspend"
> = {
	...filesystemOperations,
	...accountOperations,
	agentCommand: async (domain, command, timeout, _flags, { signal }) => {
		const deadlineMs = deadlineOf(timeout);
		domain.activeRun().tampered.agent = true;
		return compactJson(await withAgent(domain, (agent) => agent.executeText(command, { deadlineMs, signal })));
	},
	setAgentTimeout: (domain, timeout) => setAgentTimeout(domain, timeout),
	guestInfo,
	interfaceAddresses,
	hostname,
	time,
	setTime,
	pmSuspend,
};
