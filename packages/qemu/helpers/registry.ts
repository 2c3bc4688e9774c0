// The table of helpers: every kind of program that runs beside guests, in the order in which they are started.

import { dbusDaemon } from "./dbus-daemon.ts";
import type { HelperKind } from "./helper.ts";
import { passt } from "./passt.ts";
import { prHelper } from "./pr-helper.ts";
import { swtpm } from "./swtpm.ts";
import { vhostUserGpu } from "./vhost-user-gpu.ts";
import { virtiofsd } from "./virtiofsd.ts";

export const HELPERS: readonly HelperKind[] = [dbusDaemon, swtpm, passt, virtiofsd, prHelper, vhostUserGpu];
