// The calls that the transport itself answers: authentication, and what the connection as such is able to do.

import { VirtError } from "@virtkit/base/errors";
import { FEATURES } from "@virtkit/protocol/features";
import { AUTH_TYPES } from "@virtkit/protocol/types/auth";
import type { Handlers } from "./handler.ts";

/** What every connection is able to do, descriptors aside; all other features are the hypervisor driver's. */
const OWN_FEATURES: ReadonlySet<number> = new Set(Object.values(FEATURES));

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
			const { feature } = args;
			if (!OWN_FEATURES.has(feature)) return driverSupports?.(context, args) ?? { supported: 0 };
			if (feature === FEATURES.FD_PASSING) return { supported: context.client.passesDescriptors ? 1 : 0 };
			if (feature === FEATURES.PROGRAM_KEEPALIVE) context.client.startKeepalive();
			return { supported: 1 };
		},
	};
}
