// The guest agent of a run: connected while a program of the guest has its channel open.

import { VirtError } from "@virtkit/base/errors";
import { GUEST_AGENT_CHANNEL } from "@virtkit/model/domain/channel";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";

/** A program of the guest opened or closed the agent's channel. */
export function agentChannelChanged(_driver: Driver, _domain: QemuDomain, run: Run, open: boolean): void {
	run.agentOpen = open;
}

/** Has the agent shut down or reboot the guest. Throws as libvirt does where there is no agent. */
export async function shutDownByAgent(run: Run, _reboot: boolean): Promise<void> {
	const { channels } = run.live.def.devices;
	if (!channels.some(({ target }) => target.type === "virtio" && target.name === GUEST_AGENT_CHANNEL))
		throw new VirtError("ARGUMENT_UNSUPPORTED", "QEMU guest agent is not configured");
	throw new VirtError("AGENT_UNRESPONSIVE", "QEMU guest agent is not connected");
}
