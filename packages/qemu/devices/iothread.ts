// I/O threads: what their pools of workers must be.

import { VirtError } from "@virtkit/base/errors";
import type { DefineContext } from "./entry.ts";

interface Pool {
	readonly thread_pool_min?: number | undefined;
	readonly thread_pool_max?: number | undefined;
}

/** Throws CONFIG_UNSUPPORTED where a pool contradicts itself: a lower limit needs an upper one that is not below it. */
export function checkIOThreads({ def, caps }: DefineContext): void {
	const pools: readonly Pool[] = [...def.iothreadids, ...(def.defaultiothread ? [def.defaultiothread] : [])];
	const refuse = (message: string): never => {
		throw new VirtError("CONFIG_UNSUPPORTED", message);
	};
	for (const { thread_pool_min: min = -1, thread_pool_max: max = -1 } of pools) {
		if (max === 0) refuse("thread_pool_max must be a positive integer");
		if (min > max) refuse(`thread_pool_min (${min}) must be smaller or equal to thread_pool_max (${max})`);
	}
	if (pools.some(hasLimits) && !caps.has("iothread", "thread-pool-max"))
		refuse("thread_pool_min and thread_pool_max is not supported by this QEMU binary");
}

const hasLimits = ({ thread_pool_min: min, thread_pool_max: max }: Pool): boolean => (min ?? max) !== undefined;
