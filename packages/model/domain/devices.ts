// The guest's devices: every kind, in the order in which libvirt writes them.

import { str } from "@virtkit/xml/codec";
import { element, type Infer, leaf, list } from "@virtkit/xml/schema";
import { controller } from "./controller.ts";
import { disk } from "./disk.ts";
import { filesystem } from "./filesystem.ts";
import { lease } from "./lease.ts";

/** The <devices> element. */
export const devices = element({
	emulator: leaf(str, { doc: "Path of the emulator that runs the guest." }),
	disks: list(disk, { name: "disk", doc: "A disk." }),
	controllers: list(controller, { name: "controller", doc: "A bus or an adapter of one." }),
	leases: list(lease, { name: "lease", doc: "A lock that must be held while the guest runs." }),
	filesystems: list(filesystem, { name: "filesystem", doc: "A folder of the host that the guest mounts." }),
});

/** The guest's devices. */
export type DevicesDef = Infer<typeof devices>;
