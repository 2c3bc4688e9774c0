// Starts the domains that are to start with the host, once in each of its boots.

import type { Driver } from "../driver-context.ts";

/** Starts them in the background. */
export function startWithHost(_driver: Driver): void {}
