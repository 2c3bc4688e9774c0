// How long a thread has waited in the scheduler, as kernels with CONFIG_SCHED_DEBUG tell.

import { readFileSync } from "node:fs";

/** The line has its longer name in kernels before 5.16. Milliseconds with fractions. */
const WAIT_SUM = /^se\.(?:statistics\.)?wait_sum\s*:\s*([\d.]+)/m;

/** Nanoseconds; 0 where the kernel does not tell. */
export function waitedNs(pid: number, tid: number): bigint {
	let text: string;
	try {
		text = readFileSync(`/proc/${pid}/task/${tid}/sched`, "latin1");
	} catch {
		return 0n;
	}
	const milliseconds = WAIT_SUM.exec(text)?.[1];
	return milliseconds === undefined ? 0n : BigInt(Math.floor(Number(milliseconds) * 1_000_000));
}
