// The connection itself: opening, capabilities, versions, CPU models, and the events of the connection.

import { array } from "@virtkit/xdr/composite";
import { int, uhyper, uint } from "@virtkit/xdr/primitive";
import { LIMITS } from "../limits.ts";
import { call, event, none } from "../procedure.ts";
import { optionalText, text } from "../types/text.ts";
import { typedParameters } from "../types/typed-parameter.ts";

export const connectProcedures = {
	CONNECT_OPEN: call(1, { name: optionalText, flags: uint }, none, { acl: ["connect:getattr"], priority: "high" }),
	CONNECT_CLOSE: call(2, none, none, { acl: [], priority: "high" }),
	CONNECT_GET_TYPE: call(3, none, { type: text }, { acl: ["connect:getattr"], priority: "high" }),
	CONNECT_GET_VERSION: call(4, none, { hvVer: uhyper }, { acl: ["connect:getattr"], priority: "high" }),
	CONNECT_GET_MAX_VCPUS: call(
		5,
		{ type: optionalText },
		{ maxVcpus: int },
		{ acl: ["connect:read"], priority: "high" },
	),
	CONNECT_GET_CAPABILITIES: call(7, none, { capabilities: text }, { acl: ["connect:read"] }),
	CONNECT_GET_HOSTNAME: call(59, none, { hostname: text }, { acl: ["connect:getattr"], priority: "high" }),
	CONNECT_SUPPORTS_FEATURE: call(
		60,
		{ feature: int },
		{ supported: int },
		{ acl: ["connect:getattr"], priority: "high" },
	),
	CONNECT_GET_URI: call(110, none, { uri: text }, { acl: ["connect:getattr"], priority: "high" }),
	CONNECT_IS_SECURE: call(149, none, { secure: int }, { acl: [], priority: "high" }),
	CONNECT_GET_LIB_VERSION: call(157, none, { libVer: uhyper }, { acl: ["connect:getattr"], priority: "high" }),
	CONNECT_COMPARE_CPU: call(
		158,
		{ xml: text, flags: uint },
		{ result: int },
		{ acl: ["connect:read"], priority: "high" },
	),
	CONNECT_BASELINE_CPU: call(
		162,
		{ xmlCPUs: array(text, LIMITS.CPU_BASELINE_MAX), flags: uint },
		{ cpu: text },
		{ acl: ["connect:read"] },
	),
	CONNECT_GET_SYSINFO: call(203, { flags: uint }, { sysinfo: text }, { acl: ["connect:read"], priority: "high" }),
	CONNECT_GET_CPU_MODEL_NAMES: call(
		312,
		{ arch: text, needResults: int, flags: uint },
		{ models: array(text, LIMITS.CONNECT_CPU_MODELS_MAX), ret: int },
		{ acl: ["connect:read"] },
	),
	CONNECT_GET_DOMAIN_CAPABILITIES: call(
		342,
		{ emulatorbin: optionalText, arch: optionalText, machine: optionalText, virttype: optionalText, flags: uint },
		{ capabilities: text },
		{ acl: ["connect:write"] },
	),
	CONNECT_REGISTER_CLOSE_CALLBACK: call(360, none, none, { acl: ["connect:getattr"], priority: "high" }),
	CONNECT_UNREGISTER_CLOSE_CALLBACK: call(361, none, none, { acl: ["connect:getattr"], priority: "high" }),
	CONNECT_EVENT_CONNECTION_CLOSED: event(362, { reason: int }),
	CONNECT_COMPARE_HYPERVISOR_CPU: call(
		393,
		{
			emulator: optionalText,
			arch: optionalText,
			machine: optionalText,
			virttype: optionalText,
			xmlCPU: text,
			flags: uint,
		},
		{ result: int },
		{ acl: ["connect:write"] },
	),
	CONNECT_BASELINE_HYPERVISOR_CPU: call(
		394,
		{
			emulator: optionalText,
			arch: optionalText,
			machine: optionalText,
			virttype: optionalText,
			xmlCPUs: array(text, LIMITS.CPU_BASELINE_MAX),
			flags: uint,
		},
		{ cpu: text },
		{ acl: ["connect:write"] },
	),
	CONNECT_SET_IDENTITY: call(419, { params: typedParameters(LIMITS.CONNECT_IDENTITY_PARAMS_MAX), flags: uint }, none, {
		acl: ["connect:write"],
	}),
} as const;
