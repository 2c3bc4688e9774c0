// Checks that the host can give a guest the frequency of its time stamp counter.

import { VirtError } from "@virtkit/base/errors";
import type { DefineContext } from "../devices/entry.ts";

/** Parts per million by which the counter may be off, as the kernel has it too. */
const TOLERANCE_PPM = 250;
const MILLION = 1_000_000;

/** Throws CONFIG_UNSUPPORTED where the guest's counter would run at another speed than asked for. */
export function checkTsc({ def, host }: DefineContext): void {
	const wanted = Number(def.clock.timer.find(({ name, frequency }) => name === "tsc" && frequency)?.frequency ?? 0);
	if (wanted === 0) return;
	const { tsc } = host;
	if (!tsc || tsc.scaling) return;
	const tolerance = Math.floor((tsc.frequency * TOLERANCE_PPM) / MILLION);
	if (Math.abs(wanted - tsc.frequency) <= tolerance) return;
	throw new VirtError(
		"CONFIG_UNSUPPORTED",
		`Requested TSC frequency ${wanted} Hz is outside tolerance range ([${tsc.frequency - tolerance}, ${tsc.frequency + tolerance}] Hz) around host frequency ${tsc.frequency} Hz, and the host CPU cannot scale it`,
	);
}
