// The calls that the transport itself answers: authentication, and what the connection as such is able to do.

import { VirtError } from "@virtkit/base/errors";
import { AUTH_TYPES } from "@virtkit/protocol/types/auth";
import type { Handlers } from "./handler.ts";

/** VIR_DRV_FEATURE_PROGRAM_KEEPALIVE: a client that asks for it answers pings. */
const FEATURE_KEEPALIVE = 10;

/** What every connection is able to do or not, by virDrvFeature; all other features are the hypervisor driver's. */
const FEATURES: ReadonlyMap<number, boolean> = new Map([
	// VIR_DRV_FEATURE_FD_PASSING: Node cannot take descriptors off a socket.
	[8, false],
	// VIR_DRV_FEATURE_TYPED_PARAM_STRING
	[9, true],
	[FEATURE_KEEPALIVE, true],
	// VIR_DRV_FEATURE_REMOTE_EVENT_CALLBACK: events carry callback ids.
	[14, true],
	// VIR_DRV_FEATURE_REMOTE_CLOSE_CALLBACK
	[15, true],
	// VIR_DRV_FEATURE_NETWORK_UPDATE_HAS_CORRECT_ORDER
	[16, true],
]);

function refuse(): never {
	throw new VirtError("AUTH_FAILED", "no authentication is asked for on this socket", { domain: "RPC" });
}

/** Adds the transport's own answers to the handlers of the remote program. */
export function withBuiltIns(handlers: Handlers): Handlers {
	const driverSupports = handlers.CONNECT_SUPPORTS_FEATURE;
	return {
		...handlers,
		AUTH_LIST: () => ({ types: [AUTH_TYPES.NONE] }),
		AUTH_SASL_INIT: refuse,
		AUTH_SASL_START: refuse,
		AUTH_SASL_STEP: refuse,
		AUTH_POLKIT: refuse,
		CONNECT_SUPPORTS_FEATURE: (context, args) => {
			const own = FEATURES.get(args.feature);
			if (own === undefined) return driverSupports?.(context, args) ?? { supported: 0 };
			if (args.feature === FEATURE_KEEPALIVE) context.client.startKeepalive();
			return { supported: own ? 1 : 0 };
		},
	};
}
