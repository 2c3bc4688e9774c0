// virtkit's own program: what libvirt's API has no call for. Clients of libvirt's never meet it.

import { array } from "@virtkit/xdr/composite";
import { bool, hyper, int, uhyper, uint } from "@virtkit/xdr/primitive";
import { struct } from "@virtkit/xdr/struct";
import { call } from "../procedure.ts";
import { domain } from "../types/object.ts";
import { text } from "../types/text.ts";

/** Sizes are KiB. */
const hostMemory = struct({
	physical: uhyper,
	available: uhyper,
	swapTotal: uhyper,
	swapFree: uhyper,
	hugePages: uhyper,
	ksmSaved: uhyper,
	pressure: int,
	committed: uhyper,
	promisable: uhyper,
	ballooned: hyper,
	balancing: bool,
});
const guestMemory = struct({
	domain,
	maximum: uhyper,
	wanted: uhyper,
	actual: uhyper,
	floor: uhyper,
	resident: uhyper,
	shared: uhyper,
	swapped: uhyper,
	merged: uhyper,
});
const decision = struct({ number: uhyper, time: uhyper, kind: text, domain, from: uhyper, to: uhyper, reason: text });

/** As many domains as a list of libvirt's may have, and as many decisions as are kept. */
const MAX_GUESTS = 16_384;
const MAX_DECISIONS = 1000;

export const virtkitProcedures = {
	HOST_MEMORY: call(
		1,
		{ maxDecisions: uint, flags: uint },
		{ host: hostMemory, guests: array(guestMemory, MAX_GUESTS), decisions: array(decision, MAX_DECISIONS) },
		{ acl: ["connect:read"], filter: "domain:getattr" },
	),
} as const;
