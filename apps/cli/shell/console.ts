// Joins this terminal and a guest's console until the escape character is typed.

import type { Domain } from "@virtkit/client/sdk/domain";
import type { CliContext } from "../context.ts";
import { orFail } from "../context.ts";

/** Ctrl-], virsh's default. */
const ESCAPE = 0x1d;

/**
 * Connects standard input and output to the console `device` (the first where null), raw, until Ctrl-] or the end of
 * the guest or of the input. `connected` runs once the two are joined.
 */
export async function attachConsole(
	context: CliContext,
	domain: Domain,
	device: string | null,
	options: { readonly force?: boolean; readonly safe?: boolean },
	connected?: () => Promise<void>,
): Promise<void> {
	const stream = await orFail("", domain.openConsole(device, options)).catch((error: Error) => {
		throw error.message === "" && error.cause instanceof Error ? error.cause : error;
	});
	const { stdin, stdout } = process;
	if (!context.options.quiet)
		context.terminal.out(`Connected to domain '${domain.name}'\nEscape character is ^] (Ctrl + ])\n`);
	const { promise: ended, resolve: end } = Promise.withResolvers<void>();
	const onInput = (data: Buffer): void => {
		const at = data.indexOf(ESCAPE);
		if (at !== 0) stream.write(at === -1 ? data : data.subarray(0, at));
		if (at !== -1) end();
	};
	stream.on("data", (data: Buffer) => stdout.write(data));
	stream.once("end", end);
	stream.once("close", end);
	stream.once("error", end);
	stdin.once("end", end);
	stdin.on("data", onInput);
	stdin.setRawMode?.(true);
	stdin.resume();
	try {
		await connected?.();
		await ended;
	} finally {
		stdin.setRawMode?.(false);
		stdin.off("data", onInput);
		stdin.pause();
		stream.destroy();
		context.terminal.out("\n");
	}
}
