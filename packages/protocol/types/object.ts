// How messages name libvirt's objects: domains, networks, volumes and the others.

import type { Infer } from "@virtkit/xdr/codec";
import { int, uuid } from "@virtkit/xdr/primitive";
import { struct } from "@virtkit/xdr/struct";
import { text } from "./text.ts";

/** A domain; `id` is -1 while it is not running. */
export const domain = struct({ name: text, uuid, id: int });
export const network = struct({ name: text, uuid });
export const networkPort = struct({ net: network, uuid });
export const nwfilter = struct({ name: text, uuid });
export const nwfilterBinding = struct({ portdev: text, filtername: text });
export const hostInterface = struct({ name: text, mac: text });
export const storagePool = struct({ name: text, uuid });
/** A volume: the name of its pool, its own name, and its key (unique over all pools). */
export const storageVol = struct({ pool: text, name: text, key: text });
export const nodeDevice = struct({ name: text });
export const secret = struct({ uuid, usageType: int, usageID: text });
export const domainCheckpoint = struct({ name: text, dom: domain });
export const domainSnapshot = struct({ name: text, dom: domain });

export type DomainRef = Infer<typeof domain>;
