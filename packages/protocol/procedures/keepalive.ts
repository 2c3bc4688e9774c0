// The keepalive program: either side asks whether the other is still there.

import { event, none } from "../procedure.ts";

export const keepaliveProcedures = {
	PING: event(1, none),
	PONG: event(2, none),
} as const;
