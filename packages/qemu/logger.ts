// What the driver needs of a log: severity, a sentence, and facts beside it.

type Log = (message: string, facts?: Readonly<Record<string, unknown>>) => void;

/** A log; whoever builds the driver decides where it goes. */
export interface Logger {
	readonly debug: Log;
	readonly info: Log;
	readonly warn: Log;
	readonly error: Log;
}
