// The subsystem that an error about a procedure as such is reported from, as libvirt's API files have it.

import type { ErrorDomain } from "@virtkit/base/errors";
import type { ProgramName } from "@virtkit/protocol/programs";

/** By the beginning of the procedure's name, first match counts. */
const DOMAINS: readonly (readonly [prefix: RegExp, domain: ErrorDomain])[] = [
	[/^DOMAIN_(LIST_ALL_)?CHECKPOINT/, "DOMAIN_CHECKPOINT"],
	[/^DOMAIN_(REVERT_TO_|HAS_CURRENT_|LIST_ALL_)?SNAPSHOT/, "DOMAIN_SNAPSHOT"],
	[/^NODE_(DEVICE_|NUM_OF_DEVICES|LIST_DEVICES)|^CONNECT_(LIST_ALL_)?NODE_DEVICE/, "NODEDEV"],
	[/^NETWORK|^CONNECT_([A-Z_]+_)?NETWORK/, "NETWORK"],
	[/^INTERFACE|^CONNECT_([A-Z_]+_)?INTERFACE/, "INTERFACE"],
	[/^STORAGE|^CONNECT_([A-Z_]+_)?STORAGE/, "STORAGE"],
	[/^SECRET|^CONNECT_([A-Z_]+_)?SECRET/, "SECRET"],
	[/^NWFILTER|^CONNECT_([A-Z_]+_)?NWFILTER/, "NWFILTER"],
];

/** The subsystem for a procedure: of the remote program by its object, of the drivers' own programs none. */
export function errorDomainOf(program: ProgramName, name: string): ErrorDomain {
	if (program !== "remote") return "NONE";
	return DOMAINS.find(([prefix]) => prefix.test(name))?.[1] ?? "DOMAIN";
}
