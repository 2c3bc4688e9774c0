// The NVRAM device of pSeries guests.

import { element, type Infer } from "@virtkit/xml/schema";
import { deviceInfo } from "./device-common.ts";

/** The <nvram> element among the devices. */
export const nvramDevice = element(deviceInfo);
/** An NVRAM device. */
export type NvramDeviceDef = Infer<typeof nvramDevice>;
