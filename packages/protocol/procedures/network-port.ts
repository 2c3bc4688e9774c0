// The ports that guests hold on virtual networks.

import { array } from "@virtkit/xdr/composite";
import { int, uint, uuid } from "@virtkit/xdr/primitive";
import { LIMITS } from "../limits.ts";
import { call, none } from "../procedure.ts";
import { network, networkPort } from "../types/object.ts";
import { text } from "../types/text.ts";
import { typedParameters } from "../types/typed-parameter.ts";

export const networkPortProcedures = {
	NETWORK_LIST_ALL_PORTS: call(
		404,
		{ network, needResults: int, flags: uint },
		{ ports: array(networkPort, LIMITS.NETWORK_PORT_LIST_MAX), ret: uint },
		{ acl: ["network:search_ports"], filter: "network_port:getattr", priority: "high" },
	),
	NETWORK_PORT_LOOKUP_BY_UUID: call(
		405,
		{ network, uuid },
		{ port: networkPort },
		{ acl: ["network_port:getattr"], priority: "high" },
	),
	NETWORK_PORT_CREATE_XML: call(
		406,
		{ network, xml: text, flags: uint },
		{ port: networkPort },
		{ acl: ["network_port:create"] },
	),
	NETWORK_PORT_GET_PARAMETERS: call(
		407,
		{ port: networkPort, nparams: int, flags: uint },
		{ params: typedParameters(LIMITS.NETWORK_PORT_PARAMETERS_MAX), nparams: int },
		{ acl: ["network_port:read"] },
	),
	NETWORK_PORT_SET_PARAMETERS: call(
		408,
		{ port: networkPort, params: typedParameters(LIMITS.NETWORK_PORT_PARAMETERS_MAX), flags: uint },
		none,
		{ acl: ["network_port:write"] },
	),
	NETWORK_PORT_GET_XML_DESC: call(
		409,
		{ port: networkPort, flags: uint },
		{ xml: text },
		{ acl: ["network_port:read"] },
	),
	NETWORK_PORT_DELETE: call(410, { port: networkPort, flags: uint }, none, { acl: ["network_port:delete"] }),
} as const;
