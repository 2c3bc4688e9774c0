// Cryptographic accelerators: virtio devices whose work QEMU or the host's kernel does.

import type { CryptoDef } from "@virtkit/model/domain/crypto";
import { virtioSlot } from "../addresses/pci-need.ts";
import { addressProps } from "./device-address.ts";
import { addDevice } from "./device-option.ts";
import { checkDeviceRules, type DeviceRule } from "./device-rule.ts";
import type { BuildContext, DeviceEntry } from "./entry.ts";
import { findDescribed } from "./plug-find.ts";
import { virtioDriver, virtioProps } from "./virtio.ts";

/** QEMU's objects behind the device. */
const BACKENDS = { builtin: "cryptodev-backend-builtin", lkcf: "cryptodev-backend-lkcf" } as const;

const RULES: readonly DeviceRule<CryptoDef>[] = [
	{
		broken: ({ model }, { caps }) =>
			!caps.has("virtio-crypto-device") && `crypto model '${model}' is not supported with this QEMU binary`,
	},
	{
		broken: ({ backend }, { caps }) =>
			!caps.has(BACKENDS[backend.model]) && `crypto backend '${backend.model}' is not supported with this QEMU binary`,
	},
];

function buildCrypto(device: CryptoDef, context: BuildContext): void {
	const { alias: id, backend } = device;
	context.command.addJson("-object", { "qom-type": BACKENDS[backend.model], id: `obj${id}`, queues: backend.queues });
	const props = {
		driver: virtioDriver("virtio-crypto", device, context),
		...virtioProps(device.driver),
		cryptodev: `obj${id}`,
		id,
		...addressProps(device, context.def),
	};
	addDevice(device, props, context);
}

export const crypto: DeviceEntry<CryptoDef> = {
	kind: "crypto",
	list: ({ devices }) => devices.cryptos,
	alias: (_, index) => `crypto${index}`,
	check: (device, context) => checkDeviceRules(RULES, device, context),
	pci: (_, context) => virtioSlot(context),
	virtio: () => true,
	build: buildCrypto,
	hotplug: {
		only: "stored",
		find: findDescribed(
			({ def }) => def.devices.cryptos,
			({ backend }) => `crypto device with backend '${backend.model}' not present in domain configuration`,
		),
	},
};
