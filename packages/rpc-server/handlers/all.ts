// Every handler there is, over one hypervisor driver: what the daemon hands to the server.

import type { Hypervisor } from "@virtkit/core/hypervisor";
import type { ProgramHandlers } from "../handler.ts";
import { withFlagChecks } from "./call-flags.ts";
import { connectHandlers } from "./connect.ts";
import { domainHandlers } from "./domain.ts";
import { domainBlockHandlers } from "./domain-block.ts";
import { domainCheckpointHandlers } from "./domain-checkpoint.ts";
import { domainDeviceHandlers } from "./domain-device.ts";
import { domainEventHandlers } from "./domain-event.ts";
import { domainGuestHandlers } from "./domain-guest.ts";
import { domainInfoHandlers } from "./domain-info.ts";
import { domainSaveHandlers } from "./domain-save.ts";
import { domainSnapshotHandlers } from "./domain-snapshot.ts";
import { domainTuningHandlers } from "./domain-tuning.ts";
import { migrationHandlers } from "./migration.ts";
import { nodeHandlers } from "./node.ts";
import { qemuHandlers } from "./qemu.ts";
import { virtkitHandlers } from "./virtkit.ts";

/** The programs' procedures that are handled; the server answers the others with libvirt's "not supported". */
export function allHandlers(hypervisor: Hypervisor): ProgramHandlers {
	return {
		remote: withFlagChecks({
			...connectHandlers(hypervisor),
			...nodeHandlers(hypervisor),
			...domainHandlers(hypervisor),
			...domainSaveHandlers(hypervisor),
			...domainInfoHandlers(hypervisor),
			...domainTuningHandlers(hypervisor),
			...domainDeviceHandlers(hypervisor),
			...domainGuestHandlers(hypervisor),
			...domainBlockHandlers(hypervisor),
			...domainCheckpointHandlers(hypervisor),
			...domainSnapshotHandlers(hypervisor),
			...domainEventHandlers(hypervisor),
			...migrationHandlers(hypervisor),
		}),
		qemu: qemuHandlers(hypervisor),
		virtkit: virtkitHandlers(hypervisor),
	};
}
