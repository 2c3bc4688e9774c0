// The events of domains: registration, and the messages that the server sends unasked.

import { array, optional } from "@virtkit/xdr/composite";
import { hyper, int, uhyper, uint } from "@virtkit/xdr/primitive";
import { struct } from "@virtkit/xdr/struct";
import { LIMITS } from "../limits.ts";
import { call, event, none } from "../procedure.ts";
import { domain } from "../types/object.ts";
import { optionalText, text } from "../types/text.ts";
import { typedParameters } from "../types/typed-parameter.ts";

/** An end of a display connection: address family (virDomainEventGraphicsAddressType), host, port. */
const graphicsAddress = struct({ family: int, node: text, service: text });

/** Who a display client is, by one way of authentication. */
const graphicsIdentity = struct({ type: text, name: text });

const lifecycleMsg = { dom: domain, event: int, detail: int } as const;
const rebootMsg = { dom: domain } as const;
const rtcChangeMsg = { dom: domain, offset: hyper } as const;
const watchdogMsg = { dom: domain, action: int } as const;
const ioErrorMsg = { dom: domain, srcPath: text, devAlias: text, action: int } as const;
const graphicsMsg = {
	dom: domain,
	phase: int,
	local: graphicsAddress,
	remote: graphicsAddress,
	authScheme: text,
	subject: array(graphicsIdentity, LIMITS.DOMAIN_EVENT_GRAPHICS_IDENTITY_MAX),
} as const;
const ioErrorReasonMsg = { dom: domain, srcPath: text, devAlias: text, action: int, reason: text } as const;
const controlErrorMsg = { dom: domain } as const;
const blockJobMsg = { dom: domain, path: text, type: int, status: int } as const;
const diskChangeMsg = {
	dom: domain,
	oldSrcPath: optionalText,
	newSrcPath: optionalText,
	devAlias: text,
	reason: int,
} as const;
const trayChangeMsg = { dom: domain, devAlias: text, reason: int } as const;
const pmwakeupMsg = { dom: domain } as const;
const pmsuspendMsg = { dom: domain } as const;
const balloonChangeMsg = { dom: domain, actual: uhyper } as const;
const pmsuspendDiskMsg = { dom: domain } as const;
const deviceRemovedMsg = { dom: domain, devAlias: text } as const;

export const domainEventProcedures = {
	CONNECT_DOMAIN_EVENT_REGISTER: call(
		105,
		none,
		{ cbRegistered: int },
		{ acl: ["connect:search_domains"], filter: "domain:getattr", priority: "high" },
	),
	CONNECT_DOMAIN_EVENT_DEREGISTER: call(106, none, { cbRegistered: int }, { acl: ["connect:read"], priority: "high" }),
	DOMAIN_EVENT_LIFECYCLE: event(107, lifecycleMsg),
	CONNECT_DOMAIN_EVENT_REGISTER_ANY: call(167, { eventID: int }, none, {
		acl: ["connect:search_domains"],
		filter: "domain:getattr",
		priority: "high",
	}),
	CONNECT_DOMAIN_EVENT_DEREGISTER_ANY: call(168, { eventID: int }, none, { acl: ["connect:read"], priority: "high" }),
	DOMAIN_EVENT_REBOOT: event(169, rebootMsg),
	DOMAIN_EVENT_RTC_CHANGE: event(170, rtcChangeMsg),
	DOMAIN_EVENT_WATCHDOG: event(171, watchdogMsg),
	DOMAIN_EVENT_IO_ERROR: event(172, ioErrorMsg),
	DOMAIN_EVENT_GRAPHICS: event(173, graphicsMsg),
	DOMAIN_EVENT_IO_ERROR_REASON: event(195, ioErrorReasonMsg),
	DOMAIN_EVENT_CONTROL_ERROR: event(224, controlErrorMsg),
	DOMAIN_EVENT_BLOCK_JOB: event(241, blockJobMsg),
	DOMAIN_EVENT_DISK_CHANGE: event(248, diskChangeMsg),
	DOMAIN_EVENT_TRAY_CHANGE: event(268, trayChangeMsg),
	DOMAIN_EVENT_PMWAKEUP: event(269, pmwakeupMsg),
	DOMAIN_EVENT_PMSUSPEND: event(270, pmsuspendMsg),
	DOMAIN_EVENT_BALLOON_CHANGE: event(276, balloonChangeMsg),
	DOMAIN_EVENT_PMSUSPEND_DISK: event(292, pmsuspendDiskMsg),
	DOMAIN_EVENT_DEVICE_REMOVED: event(311, deviceRemovedMsg),
	CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY: call(
		316,
		{ eventID: int, dom: optional(domain) },
		{ callbackID: int },
		{ acl: ["connect:search_domains"], filter: "domain:getattr", priority: "high" },
	),
	CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY: call(317, { callbackID: int }, none, {
		acl: ["connect:read"],
		priority: "high",
	}),
	DOMAIN_EVENT_CALLBACK_LIFECYCLE: event(318, { callbackID: int, msg: struct(lifecycleMsg) }),
	DOMAIN_EVENT_CALLBACK_REBOOT: event(319, { callbackID: int, msg: struct(rebootMsg) }),
	DOMAIN_EVENT_CALLBACK_RTC_CHANGE: event(320, { callbackID: int, msg: struct(rtcChangeMsg) }),
	DOMAIN_EVENT_CALLBACK_WATCHDOG: event(321, { callbackID: int, msg: struct(watchdogMsg) }),
	DOMAIN_EVENT_CALLBACK_IO_ERROR: event(322, { callbackID: int, msg: struct(ioErrorMsg) }),
	DOMAIN_EVENT_CALLBACK_GRAPHICS: event(323, { callbackID: int, msg: struct(graphicsMsg) }),
	DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON: event(324, { callbackID: int, msg: struct(ioErrorReasonMsg) }),
	DOMAIN_EVENT_CALLBACK_CONTROL_ERROR: event(325, { callbackID: int, msg: struct(controlErrorMsg) }),
	DOMAIN_EVENT_CALLBACK_BLOCK_JOB: event(326, { callbackID: int, msg: struct(blockJobMsg) }),
	DOMAIN_EVENT_CALLBACK_DISK_CHANGE: event(327, { callbackID: int, msg: struct(diskChangeMsg) }),
	DOMAIN_EVENT_CALLBACK_TRAY_CHANGE: event(328, { callbackID: int, msg: struct(trayChangeMsg) }),
	DOMAIN_EVENT_CALLBACK_PMWAKEUP: event(329, { callbackID: int, reason: int, msg: struct(pmwakeupMsg) }),
	DOMAIN_EVENT_CALLBACK_PMSUSPEND: event(330, { callbackID: int, reason: int, msg: struct(pmsuspendMsg) }),
	DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE: event(331, { callbackID: int, msg: struct(balloonChangeMsg) }),
	DOMAIN_EVENT_CALLBACK_PMSUSPEND_DISK: event(332, { callbackID: int, reason: int, msg: struct(pmsuspendDiskMsg) }),
	DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED: event(333, { callbackID: int, msg: struct(deviceRemovedMsg) }),
	DOMAIN_EVENT_BLOCK_JOB_2: event(339, { callbackID: int, dom: domain, dst: text, type: int, status: int }),
	DOMAIN_EVENT_CALLBACK_TUNABLE: event(346, {
		callbackID: int,
		dom: domain,
		params: typedParameters(LIMITS.DOMAIN_EVENT_TUNABLE_MAX),
	}),
	DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE: event(348, { callbackID: int, dom: domain, state: int, reason: int }),
	DOMAIN_EVENT_CALLBACK_DEVICE_ADDED: event(354, { callbackID: int, dom: domain, devAlias: text }),
	DOMAIN_EVENT_CALLBACK_MIGRATION_ITERATION: event(359, { callbackID: int, dom: domain, iteration: int }),
	DOMAIN_EVENT_CALLBACK_JOB_COMPLETED: event(363, {
		callbackID: int,
		dom: domain,
		params: typedParameters(LIMITS.DOMAIN_JOB_STATS_MAX),
	}),
	DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED: event(367, { callbackID: int, dom: domain, devAlias: text }),
	DOMAIN_EVENT_CALLBACK_METADATA_CHANGE: event(379, { callbackID: int, dom: domain, type: int, nsuri: optionalText }),
	DOMAIN_EVENT_BLOCK_THRESHOLD: event(385, {
		callbackID: int,
		dom: domain,
		dev: text,
		path: optionalText,
		threshold: uhyper,
		excess: uhyper,
	}),
	DOMAIN_EVENT_MEMORY_FAILURE: event(423, { callbackID: int, dom: domain, recipient: int, action: int, flags: uint }),
	DOMAIN_EVENT_MEMORY_DEVICE_SIZE_CHANGE: event(438, { callbackID: int, dom: domain, alias: text, size: uhyper }),
	DOMAIN_EVENT_NIC_MAC_CHANGE: event(453, { callbackID: int, dom: domain, alias: text, oldMAC: text, newMAC: text }),
	DOMAIN_EVENT_VCPU_REMOVED: event(454, { callbackID: int, dom: domain, vcpuid: uint }),
	DOMAIN_EVENT_CALLBACK_CHANNEL_LIFECYCLE: event(455, {
		callbackID: int,
		dom: domain,
		channelName: text,
		state: int,
		reason: int,
	}),
} as const;
