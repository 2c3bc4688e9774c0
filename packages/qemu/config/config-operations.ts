// Changes of what a guest has and may use, of the running guest, of its stored definition, or of both.

import type { Driver } from "../driver-context.ts";
import { guestVcpuOperations } from "./agent-vcpus.ts";
import { blkiotuneOperations } from "./blkiotune-operations.ts";
import { interfaceOperations } from "./interface-operations.ts";
import { ioTuneOperations } from "./io-tune-operations.ts";
import { iothreadOperations } from "./iothread-operations.ts";
import { lifecycleActionOperations } from "./lifecycle-action.ts";
import { memoryOperations } from "./memory-operations.ts";
import { memtuneOperations } from "./memtune-operations.ts";
import { metadataOperations } from "./metadata-operations.ts";
import { numaOperations } from "./numa-operations.ts";
import { perfOperations } from "./perf-operations.ts";
import { pinOperations } from "./pin-operations.ts";
import { schedulerOperations } from "./scheduler-operations.ts";
import { vcpuOperations } from "./vcpu-operations.ts";

/** All of them. */
export const configOperations = (driver: Driver) => ({
	...metadataOperations(driver),
	...memoryOperations(driver),
	...vcpuOperations(driver),
	...lifecycleActionOperations(driver),
	...guestVcpuOperations,
	...pinOperations(driver),
	...schedulerOperations(driver),
	...memtuneOperations(driver),
	...blkiotuneOperations(driver),
	...numaOperations(driver),
	...iothreadOperations(driver),
	...ioTuneOperations(driver),
	...interfaceOperations(driver),
	...perfOperations(driver),
});
