// Puts a device of the definition on the command line, with what s390x needs before it.

import type { DeviceInfo } from "@virtkit/model/domain/device-common";
import type { JsonObject } from "../command-line/command-line.ts";
import type { BuildContext } from "./entry.ts";

/** Appends `-device` for a device of the definition; PCI devices of s390x are preceded by their zpci companion. */
export function addDevice({ address, alias }: DeviceInfo, props: JsonObject, { command, caps }: BuildContext): void {
	if (address?.type === "pci" && address.zpci && caps.has("zpci"))
		command.addDevice({ driver: "zpci", ...address.zpci, target: alias, id: `zpci${address.zpci.uid}` });
	command.addDevice(props);
}
