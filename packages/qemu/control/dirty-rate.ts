// Has QEMU measure how fast a guest changes its memory; what it found is among the statistics.

import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import type { QemuDomain } from "../domain/domain.ts";

/** Seconds that QEMU can measure for. */
const PERIOD = { min: 1, max: 60 } as const;

/** virDomainDirtyRateCalcFlags; sampling pages is none of them. */
const MODE = { dirtyBitmap: 1, dirtyRing: 2 } as const;

async function startDirtyRateCalculation(domain: QemuDomain, seconds: number, flags: number): Promise<void> {
	if (seconds < PERIOD.min || seconds > PERIOD.max)
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			`seconds=${seconds} is invalid, please choose value within [${PERIOD.min}, ${PERIOD.max}].`,
		);
	const { monitor, caps, live } = domain.activeRun();
	if (!caps.hasSchema("calc-dirty-rate"))
		throw new VirtError("OPERATION_UNSUPPORTED", "QEMU does not support calculating dirty page rate");
	const ring = live.def.features?.kvm?.["dirty-ring"]?.state === true;
	if (flags & MODE.dirtyRing && !(flags & MODE.dirtyBitmap) && !ring)
		throw new VirtError("OPERATION_UNSUPPORTED", "dirty-ring calculation mode requires dirty-ring feature enabled.");
	if (flags !== 0 && !caps.hasSchema("calc-dirty-rate/arg-type/mode"))
		throw new VirtError("OPERATION_UNSUPPORTED", "QEMU does not support dirty page rate calculation mode.");
	const mode = flags & MODE.dirtyBitmap ? "dirty-bitmap" : flags & MODE.dirtyRing ? "dirty-ring" : "page-sampling";
	await monitor.execute("calc-dirty-rate", {
		"calc-time": seconds,
		...(caps.hasSchema("calc-dirty-rate/arg-type/mode") ? { mode } : {}),
	});
}

export const dirtyRateOperations: Pick<DomainOperations<QemuDomain>, "startDirtyRateCalculation"> = {
	startDirtyRateCalculation,
};
