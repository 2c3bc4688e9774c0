// The daemon's log: JSON lines or readable ones on standard error, as pino writes them.

import { pino } from "pino";

export interface DaemonLog {
	debug(facts: object, message: string): void;
	info(facts: object, message: string): void;
	warn(facts: object, message: string): void;
	error(facts: object, message: string): void;
}

/** A log on standard error, written at once so that nothing is lost when the daemon is killed. */
export function makeLog(verbose: boolean): DaemonLog {
	return pino(
		{
			level: verbose ? "debug" : "info",
			base: null,
			timestamp: pino.stdTimeFunctions.isoTime,
			serializers: { error: pino.stdSerializers.errWithCause },
		},
		pino.destination({ dest: 2, sync: true }),
	);
}
