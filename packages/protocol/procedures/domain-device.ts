// Attaching devices to domains, and reaching consoles, displays and keyboards.

import { array } from "@virtkit/xdr/composite";
import { hyper, uint } from "@virtkit/xdr/primitive";
import { DOMAIN_CHANGE } from "../access.ts";
import { LIMITS } from "../limits.ts";
import { call, none } from "../procedure.ts";
import { domain } from "../types/object.ts";
import { optionalText, text } from "../types/text.ts";
import { typedParameters } from "../types/typed-parameter.ts";

export const domainDeviceProcedures = {
	DOMAIN_ATTACH_DEVICE: call(8, { dom: domain, xml: text }, none, { acl: ["domain:write"] }),
	DOMAIN_DETACH_DEVICE: call(13, { dom: domain, xml: text }, none, { acl: ["domain:write"] }),
	DOMAIN_ATTACH_DEVICE_FLAGS: call(160, { dom: domain, xml: text, flags: uint }, none, { acl: DOMAIN_CHANGE }),
	DOMAIN_DETACH_DEVICE_FLAGS: call(161, { dom: domain, xml: text, flags: uint }, none, { acl: DOMAIN_CHANGE }),
	DOMAIN_UPDATE_DEVICE_FLAGS: call(174, { dom: domain, xml: text, flags: uint }, none, { acl: DOMAIN_CHANGE }),
	DOMAIN_OPEN_CONSOLE: call(201, { dom: domain, devName: optionalText, flags: uint }, none, {
		acl: ["domain:open_device"],
		stream: "read",
	}),
	DOMAIN_INJECT_NMI: call(210, { dom: domain, flags: uint }, none, { acl: ["domain:inject_nmi"] }),
	DOMAIN_SCREENSHOT: call(
		211,
		{ dom: domain, screen: uint, flags: uint },
		{ mime: optionalText },
		{ acl: ["domain:screenshot"], stream: "read" },
	),
	DOMAIN_SEND_KEY: call(
		226,
		{ dom: domain, codeset: uint, holdtime: uint, keycodes: array(uint, LIMITS.DOMAIN_SEND_KEY_MAX), flags: uint },
		none,
		{ acl: ["domain:send_input"] },
	),
	DOMAIN_OPEN_GRAPHICS: call(249, { dom: domain, idx: uint, flags: uint }, none, { acl: ["domain:open_graphics"] }),
	DOMAIN_SEND_PROCESS_SIGNAL: call(295, { dom: domain, pidValue: hyper, signum: uint, flags: uint }, none, {
		acl: ["domain:send_signal"],
	}),
	DOMAIN_OPEN_CHANNEL: call(296, { dom: domain, name: optionalText, flags: uint }, none, {
		acl: ["domain:open_device"],
		stream: "read",
	}),
	DOMAIN_OPEN_GRAPHICS_FD: call(343, { dom: domain, idx: uint, flags: uint }, none, { acl: ["domain:open_graphics"] }),
	DOMAIN_DETACH_DEVICE_ALIAS: call(392, { dom: domain, alias: text, flags: uint }, none, { acl: DOMAIN_CHANGE }),
	DOMAIN_FD_ASSOCIATE: call(443, { dom: domain, name: text, flags: uint }, none, { acl: ["domain:write"] }),
	DOMAIN_GRAPHICS_RELOAD: call(448, { dom: domain, type: uint, flags: uint }, none, { acl: ["domain:write"] }),
	DOMAIN_ANNOUNCE_INTERFACE: call(
		456,
		{
			dom: domain,
			device: optionalText,
			params: typedParameters(LIMITS.DOMAIN_ANNOUNCE_INTERFACE_PARAMETERS_MAX),
			flags: uint,
		},
		none,
		{ acl: ["domain:write"] },
	),
} as const;
