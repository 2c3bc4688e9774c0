// The ways of authentication that a server may ask for.

import { enumeration } from "@virtkit/xdr/primitive";

/** remote_auth_type */
export const AUTH_TYPES = { NONE: 0, SASL: 1, POLKIT: 2 } as const;

export const authType = enumeration(AUTH_TYPES.NONE, AUTH_TYPES.SASL, AUTH_TYPES.POLKIT);
