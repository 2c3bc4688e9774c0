// What the guest agent answers: file systems, time, users, addresses, suspend.

import { array } from "@virtkit/xdr/composite";
import { hyper, int, uhyper, uint } from "@virtkit/xdr/primitive";
import { struct } from "@virtkit/xdr/struct";
import { FLAGS, ifArgument } from "../access.ts";
import { LIMITS } from "../limits.ts";
import { call, none } from "../procedure.ts";
import { domain } from "../types/object.ts";
import { optionalText, text } from "../types/text.ts";
import { typedParameters } from "../types/typed-parameter.ts";

/** A file system mounted in the guest, and the disks it is on. */
const fsinfo = struct({
	mountpoint: text,
	name: text,
	fstype: text,
	devAliases: array(text, LIMITS.DOMAIN_FSINFO_DISKS_MAX),
});

/** An address in the guest, with its prefix length. */
const ipAddress = struct({ type: int, addr: text, prefix: uint });

/** A network interface in the guest. */
const guestInterface = struct({ name: text, hwaddr: optionalText, addrs: array(ipAddress, LIMITS.DOMAIN_IP_ADDR_MAX) });

export const domainGuestProcedures = {
	DOMAIN_PM_SUSPEND_FOR_DURATION: call(261, { dom: domain, target: uint, duration: uhyper, flags: uint }, none, {
		acl: ["domain:pm_control"],
	}),
	DOMAIN_PM_WAKEUP: call(267, { dom: domain, flags: uint }, none, { acl: ["domain:pm_control"] }),
	DOMAIN_GET_HOSTNAME: call(277, { dom: domain, flags: uint }, { hostname: text }, { acl: ["domain:write"] }),
	DOMAIN_FSTRIM: call(294, { dom: domain, mountPoint: optionalText, minimum: uhyper, flags: uint }, none, {
		acl: ["domain:fs_trim"],
	}),
	DOMAIN_FSFREEZE: call(
		335,
		{ dom: domain, mountpoints: array(text, LIMITS.DOMAIN_FSFREEZE_MOUNTPOINTS_MAX), flags: uint },
		{ filesystems: int },
		{ acl: ["domain:fs_freeze"] },
	),
	DOMAIN_FSTHAW: call(
		336,
		{ dom: domain, mountpoints: array(text, LIMITS.DOMAIN_FSFREEZE_MOUNTPOINTS_MAX), flags: uint },
		{ filesystems: int },
		{ acl: ["domain:fs_freeze"] },
	),
	DOMAIN_GET_TIME: call(
		337,
		{ dom: domain, flags: uint },
		{ seconds: hyper, nseconds: uint },
		{ acl: ["domain:write"] },
	),
	DOMAIN_SET_TIME: call(338, { dom: domain, seconds: hyper, nseconds: uint, flags: uint }, none, {
		acl: ["domain:set_time"],
	}),
	DOMAIN_GET_FSINFO: call(
		349,
		{ dom: domain, flags: uint },
		{ info: array(fsinfo, LIMITS.DOMAIN_FSINFO_MAX), ret: uint },
		{ acl: ["domain:fs_freeze"] },
	),
	DOMAIN_INTERFACE_ADDRESSES: call(
		353,
		{ dom: domain, source: uint, flags: uint },
		{ ifaces: array(guestInterface, LIMITS.DOMAIN_INTERFACE_MAX) },
		{ acl: ["domain:read", ifArgument("domain:write", "source", FLAGS.DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT)] },
	),
	DOMAIN_SET_USER_PASSWORD: call(357, { dom: domain, user: optionalText, password: optionalText, flags: uint }, none, {
		acl: ["domain:set_password"],
	}),
	DOMAIN_GET_GUEST_VCPUS: call(
		371,
		{ dom: domain, flags: uint },
		{ params: typedParameters(LIMITS.DOMAIN_GUEST_VCPU_PARAMS_MAX) },
		{ acl: ["domain:write"] },
	),
	DOMAIN_SET_GUEST_VCPUS: call(372, { dom: domain, cpumap: text, state: int, flags: uint }, none, {
		acl: ["domain:write"],
	}),
	DOMAIN_GET_GUEST_INFO: call(
		418,
		{ dom: domain, types: uint, flags: uint },
		{ params: typedParameters(LIMITS.DOMAIN_GUEST_INFO_PARAMS_MAX) },
		{ acl: ["domain:write"] },
	),
	DOMAIN_AGENT_SET_RESPONSE_TIMEOUT: call(
		420,
		{ dom: domain, timeout: int, flags: uint },
		{ result: int },
		{ acl: ["domain:write"] },
	),
	DOMAIN_AUTHORIZED_SSH_KEYS_GET: call(
		424,
		{ dom: domain, user: text, flags: uint },
		{ keys: array(text, LIMITS.DOMAIN_AUTHORIZED_SSH_KEYS_MAX) },
		{ acl: ["domain:write"] },
	),
	DOMAIN_AUTHORIZED_SSH_KEYS_SET: call(
		425,
		{ dom: domain, user: text, keys: array(text, LIMITS.DOMAIN_AUTHORIZED_SSH_KEYS_MAX), flags: uint },
		none,
		{ acl: ["domain:write"] },
	),
} as const;
