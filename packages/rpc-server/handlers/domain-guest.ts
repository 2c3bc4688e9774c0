// What the guest does and tells through its agent: file systems, addresses, accounts, facts.

import { VirtError } from "@virtkit/base/errors";
import type { Hypervisor } from "@virtkit/core/hypervisor";
import type { Handlers } from "../handler.ts";
import { nothing, onDomain, wireParameters } from "./domain-call.ts";

/** virIPAddrType. */
const FAMILY = { ipv4: 0, ipv6: 1 } as const;

export function domainGuestHandlers(hypervisor: Hypervisor): Handlers {
	return { ...filesystems(hypervisor), ...accounts(hypervisor), ...facts(hypervisor) };
}

function filesystems(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	const counted = (count: number) => ({ filesystems: count });
	return {
		DOMAIN_FSFREEZE: (context, { dom, mountpoints, flags }) =>
			on(context, dom, "fsFreeze", flags, counted, mountpoints),
		DOMAIN_FSTHAW: (context, { dom, mountpoints, flags }) => on(context, dom, "fsThaw", flags, counted, mountpoints),
		DOMAIN_FSTRIM: (context, { dom, mountPoint, minimum, flags }) =>
			on(context, dom, "fsTrim", flags, nothing, mountPoint ?? undefined, minimum),
		DOMAIN_GET_FSINFO: (context, { dom, flags }) =>
			on(context, dom, "filesystems", flags, (all) => ({
				info: all.map(({ mountpoint, name, type, targets }) => ({
					mountpoint,
					name,
					fstype: type,
					devAliases: [...targets],
				})),
				ret: all.length,
			})),
	};
}

function accounts(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_SET_USER_PASSWORD: (context, { dom, user, password, flags }) =>
			on(context, dom, "setUserPassword", flags, nothing, {
				user: user ?? missing("user"),
				password: password ?? missing("password"),
			}),
		DOMAIN_AUTHORIZED_SSH_KEYS_GET: (context, { dom, user, flags }) =>
			on(context, dom, "sshKeys", flags, (keys) => ({ keys: [...keys] }), user),
		DOMAIN_AUTHORIZED_SSH_KEYS_SET: (context, { dom, user, keys, flags }) =>
			on(context, dom, "setSshKeys", flags, nothing, { user, keys }),
	};
}

function missing(name: string): never {
	throw new VirtError("INVALID_ARG", `${name} in virDomainSetUserPassword must not be NULL`);
}

function facts(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_GET_GUEST_INFO: (context, { dom, types, flags }) =>
			on(context, dom, "guestInfo", flags, (params) => ({ params: wireParameters(params) }), types),
		DOMAIN_AGENT_SET_RESPONSE_TIMEOUT: (context, { dom, timeout, flags }) =>
			on(context, dom, "setAgentTimeout", flags, () => ({ result: 0 }), timeout),
		DOMAIN_INTERFACE_ADDRESSES: (context, { dom, source, flags }) =>
			on(
				context,
				dom,
				"interfaceAddresses",
				flags,
				(all) => ({
					ifaces: all.map(({ name, mac, addresses }) => ({
						name,
						hwaddr: mac ?? null,
						addrs: addresses.map(({ family, address, prefix }) => ({ type: FAMILY[family], addr: address, prefix })),
					})),
				}),
				source,
			),
	};
}
