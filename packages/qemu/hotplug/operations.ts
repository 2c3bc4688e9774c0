// Devices that come, go and change: the operations.

import type { DomainOperations } from "@virtkit/core/domain-operations";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { attachDevice } from "./attach.ts";
import { detachDevice, detachDeviceAlias } from "./detach.ts";
import { updateDevice } from "./update.ts";

type HotplugOperations = Pick<
	DomainOperations<QemuDomain>,
	"attachDevice" | "detachDevice" | "detachDeviceAlias" | "updateDevice"
>;

export const hotplugOperations = (driver: Driver): HotplugOperations => ({
	attachDevice: (domain, xml, flags) => attachDevice(driver, domain, xml, flags),
	detachDevice: (domain, xml, flags) => detachDevice(driver, domain, xml, flags),
	detachDeviceAlias: (domain, alias, flags) => detachDeviceAlias(driver, domain, alias, flags),
	updateDevice: (domain, xml, flags) => updateDevice(driver, domain, xml, flags),
});
