// The guest's file systems, through its agent: frozen, thawed, trimmed and listed.

import { VirtError } from "@virtkit/base/errors";
import type { CallContext, DomainOperations } from "@virtkit/core/domain-operations";
import { NOT_RUNNING } from "@virtkit/core/operations";
import type { GuestAgent } from "@virtkit/qmp/guest-agent";
import type { QemuDomain } from "../domain/domain.ts";
import { withAgent } from "./agent.ts";
import { type AgentObject, agentCount, agentObjects } from "./answer.ts";
import { diskAt, type GuestDiskAddress, readDiskAddress } from "./guest-disks.ts";

/** A file system as the agent tells of it. */
export interface AgentFilesystem {
	readonly mountpoint: string;
	readonly name: string;
	readonly type: string;
	readonly usedBytes: bigint | undefined;
	readonly totalBytes: bigint | undefined;
	readonly disks: readonly GuestDiskAddress[];
}

/** The guest's file systems in the order in which they were mounted, which the agent tells backwards. */
export async function askFilesystems(agent: GuestAgent, { signal }: CallContext): Promise<AgentFilesystem[]> {
	const command = "guest-get-fsinfo";
	const answer = await agent.executeUntyped(command, undefined, { signal });
	return agentObjects(command, answer).reverse().map(readFilesystem);
}

function readFilesystem(found: AgentObject): AgentFilesystem {
	return {
		mountpoint: found.text("mountpoint"),
		name: found.text("name"),
		type: found.text("type"),
		usedBytes: found.sizeIfAny("used-bytes"),
		totalBytes: found.sizeIfAny("total-bytes"),
		disks: found.objects("disk").map(readDiskAddress),
	};
}

function fsFreeze(domain: QemuDomain, mountpoints: readonly string[], signal: AbortSignal): Promise<number> {
	return withAgent(domain, async (agent) => {
		const [command, args] =
			mountpoints.length === 0
				? (["guest-fsfreeze-freeze"] as const)
				: (["guest-fsfreeze-freeze-list", { mountpoints }] as const);
		return agentCount(await agent.executeUntyped(command, args, { signal }));
	});
}

function fsThaw(domain: QemuDomain, mountpoints: readonly string[], signal: AbortSignal): Promise<number> {
	if (mountpoints.length > 0) throw new VirtError("ARGUMENT_UNSUPPORTED", "specifying mountpoints is not supported");
	if (domain.run === undefined) throw new VirtError("OPERATION_INVALID", NOT_RUNNING, { domain: "DOMAIN" });
	return withAgent(domain, async (agent) =>
		agentCount(await agent.executeUntyped("guest-fsfreeze-thaw", undefined, { signal })),
	);
}

async function fsTrim(
	domain: QemuDomain,
	mountpoint: string | undefined,
	minimum: bigint,
	signal: AbortSignal,
): Promise<void> {
	if (mountpoint !== undefined)
		throw new VirtError("ARGUMENT_UNSUPPORTED", "Specifying mount point is not supported for now");
	// As text: bytes in 64 bits have more digits than JavaScript's numbers.
	const text = `{"execute":"guest-fstrim","arguments":{"minimum":${minimum}}}`;
	await withAgent(domain, (agent) => agent.executeText(text, { signal }));
}

export const filesystemOperations: Pick<
	DomainOperations<QemuDomain>,
	"fsFreeze" | "fsThaw" | "fsTrim" | "filesystems"
> = {
	fsFreeze: async (domain, mountpoints, _flags, { signal }) => fsFreeze(domain, mountpoints, signal),
	fsThaw: async (domain, mountpoints, _flags, { signal }) => fsThaw(domain, mountpoints, signal),
	fsTrim: (domain, mountpoint, minimum, _flags, { signal }) => fsTrim(domain, mountpoint, minimum, signal),
	filesystems: async (domain, _flags, context) => {
		const found = await withAgent(domain, (agent) => askFilesystems(agent, context));
		const { def } = domain.activeRun().live;
		return found.map(({ mountpoint, name, type, disks }) => ({
			mountpoint,
			name,
			type,
			targets: disks.flatMap((address) => diskAt(def, address)?.target.dev ?? []),
		}));
	},
};
