// How a client says who it is, before any other call.

import { charBytes } from "@virtkit/xdr/chars";
import { array } from "@virtkit/xdr/composite";
import { int } from "@virtkit/xdr/primitive";
import { LIMITS } from "../limits.ts";
import { call, none } from "../procedure.ts";
import { authType } from "../types/auth.ts";
import { text } from "../types/text.ts";

export const authProcedures = {
	AUTH_LIST: call(66, none, { types: array(authType, LIMITS.AUTH_TYPE_LIST_MAX) }, { acl: [], priority: "high" }),
	AUTH_SASL_INIT: call(67, none, { mechlist: text }, { acl: [], priority: "high" }),
	AUTH_SASL_START: call(
		68,
		{ mech: text, nil: int, data: charBytes(LIMITS.AUTH_SASL_DATA_MAX) },
		{ complete: int, nil: int, data: charBytes(LIMITS.AUTH_SASL_DATA_MAX) },
		{ acl: [], priority: "high" },
	),
	AUTH_SASL_STEP: call(
		69,
		{ nil: int, data: charBytes(LIMITS.AUTH_SASL_DATA_MAX) },
		{ complete: int, nil: int, data: charBytes(LIMITS.AUTH_SASL_DATA_MAX) },
		{ acl: [], priority: "high" },
	),
	AUTH_POLKIT: call(70, none, { complete: int }, { acl: [], priority: "high" }),
} as const;
