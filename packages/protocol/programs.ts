// The programs that libvirt's daemons speak, each a table of procedures under a number and a version.

import { authProcedures } from "./procedures/auth.ts";
import { connectProcedures } from "./procedures/connect.ts";
import { domainProcedures } from "./procedures/domain.ts";
import { domainBlockProcedures } from "./procedures/domain-block.ts";
import { domainCheckpointProcedures } from "./procedures/domain-checkpoint.ts";
import { domainDeviceProcedures } from "./procedures/domain-device.ts";
import { domainEventProcedures } from "./procedures/domain-event.ts";
import { domainGuestProcedures } from "./procedures/domain-guest.ts";
import { domainInfoProcedures } from "./procedures/domain-info.ts";
import { domainMigrateProcedures } from "./procedures/domain-migrate.ts";
import { domainSaveProcedures } from "./procedures/domain-save.ts";
import { domainSnapshotProcedures } from "./procedures/domain-snapshot.ts";
import { domainTuningProcedures } from "./procedures/domain-tuning.ts";
import { interfaceProcedures } from "./procedures/interface.ts";
import { keepaliveProcedures } from "./procedures/keepalive.ts";
import { lxcProcedures } from "./procedures/lxc.ts";
import { networkProcedures } from "./procedures/network.ts";
import { networkPortProcedures } from "./procedures/network-port.ts";
import { nodeProcedures } from "./procedures/node.ts";
import { nodeDeviceProcedures } from "./procedures/node-device.ts";
import { nwfilterProcedures } from "./procedures/nwfilter.ts";
import { qemuProcedures } from "./procedures/qemu.ts";
import { secretProcedures } from "./procedures/secret.ts";
import { storagePoolProcedures } from "./procedures/storage-pool.ts";
import { storageVolProcedures } from "./procedures/storage-vol.ts";
import { virtkitProcedures } from "./procedures/virtkit.ts";

/** libvirt's API itself: every procedure up to libvirt 12.5. */
export const remoteProcedures = {
	...authProcedures,
	...connectProcedures,
	...nodeProcedures,
	...nodeDeviceProcedures,
	...domainProcedures,
	...domainInfoProcedures,
	...domainTuningProcedures,
	...domainDeviceProcedures,
	...domainBlockProcedures,
	...domainGuestProcedures,
	...domainSaveProcedures,
	...domainMigrateProcedures,
	...domainSnapshotProcedures,
	...domainCheckpointProcedures,
	...domainEventProcedures,
	...networkProcedures,
	...networkPortProcedures,
	...nwfilterProcedures,
	...interfaceProcedures,
	...storagePoolProcedures,
	...storageVolProcedures,
	...secretProcedures,
} as const;

/** The programs by name: number and version on the wire, and their procedures. */
export const PROGRAMS = {
	remote: { number: 0x2000_8086, version: 1, procedures: remoteProcedures },
	qemu: { number: 0x2000_8087, version: 1, procedures: qemuProcedures },
	lxc: { number: 0x0006_8000, version: 1, procedures: lxcProcedures },
	/** "vkit" in ASCII. */
	virtkit: { number: 0x766b_6974, version: 1, procedures: virtkitProcedures },
	keepalive: { number: 0x6b65_6570, version: 1, procedures: keepaliveProcedures },
} as const;

export type ProgramName = keyof typeof PROGRAMS;
