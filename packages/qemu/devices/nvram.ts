// The NVRAM device of pSeries guests.

import type { NvramDeviceDef } from "@virtkit/model/domain/nvram-device";
import { isMachine } from "../machine.ts";
import { checkDeviceRules, type DeviceRule } from "./device-rule.ts";
import type { BuildContext, DeviceEntry } from "./entry.ts";

/** First register of the virtual bus that the device may have. */
const REGISTER = 0x3000;

const RULES: readonly DeviceRule<NvramDeviceDef>[] = [
	{
		broken: (_, { def, caps }) =>
			(!isMachine(def, "pseries") || !caps.has("spapr-nvram")) && "nvram device is only supported for PPC64",
	},
	{
		broken: ({ address }) => address?.type !== "spapr-vio" && "nvram address type must be spaprvio",
	},
];

function buildNvram({ address }: NvramDeviceDef, { command }: BuildContext): void {
	const register = address?.type === "spapr-vio" ? (address.reg ?? REGISTER) : REGISTER;
	command.add("-global", `spapr-nvram.reg=0x${register.toString(16)}`);
}

export const nvram: DeviceEntry<NvramDeviceDef> = {
	kind: "nvram",
	list: ({ devices }) => (devices.nvram ? [devices.nvram] : []),
	alias: () => "nvram",
	check: (device, context) => checkDeviceRules(RULES, device, context),
	spaprVio: () => ({ register: REGISTER, always: true }),
	build: buildNvram,
};
