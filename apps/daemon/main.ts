// The daemon's entrance: runs one instance in the foreground until SIGTERM or SIGINT.

import { disinheritDescriptors } from "@virtkit/host/native";
import { Daemon } from "./daemon.ts";
import { makeLog } from "./log.ts";
import { DAEMON_USAGE, parseDaemonOptions } from "./options.ts";

/** Exit status for a command line that does not fit (sysexits.h, EX_USAGE). */
const EX_USAGE = 64;

async function main(): Promise<void> {
	let options: ReturnType<typeof parseDaemonOptions>;
	try {
		options = parseDaemonOptions(process.argv.slice(2));
	} catch (error) {
		process.stderr.write(`virtkit daemon: ${(error as Error).message}\n${DAEMON_USAGE}`);
		process.exitCode = EX_USAGE;
		return;
	}
	if (options.help) {
		process.stdout.write(DAEMON_USAGE);
		return;
	}
	// Guests run for years; whatever started us may wait for its pipes to close.
	disinheritDescriptors();
	const log = makeLog(options.verbose);
	// Readers of the ready line may be gone; that is no reason to end guests' manager.
	process.stdout.on("error", () => undefined);
	const daemon = await Daemon.start(options, log);
	log.info({ addresses: daemon.addresses, root: daemon.folders.root }, "ready");
	process.stdout.write("ready\n");
	const { promise: asked, resolve } = Promise.withResolvers<string>();
	for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
	log.info({ signal: await asked }, "ending; guests run on");
	await daemon[Symbol.asyncDispose]();
}

try {
	await main();
} catch (error) {
	process.stderr.write(`virtkit daemon: ${error instanceof Error ? error.message : error}\n`);
	process.exitCode = 1;
}
