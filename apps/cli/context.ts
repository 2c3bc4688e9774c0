// What a command has at hand: the connection, made when first needed, and where its output goes.

import { getSystemErrorMessage } from "node:util";
import { VirtError } from "@virtkit/base/errors";
import type { Connection } from "@virtkit/client/sdk/connection";
import type { Domain } from "@virtkit/client/sdk/domain";
import { formatTable } from "./output/table.ts";

/** A command's failure that is told as `error: message`; `cause` below it. */
export class CommandError extends Error {
	override readonly name = "CommandError";
}

/** A command's failure that its output tells already: only its status is told. */
export class SilentFailure extends Error {
	override readonly name = "SilentFailure";
}

/** Global options. */
export interface GlobalOptions {
	readonly uri: string;
	readonly readOnly: boolean;
	/** Only what was asked for: no confirmations, no blank line after each command. */
	readonly quiet: boolean;
	/** Listings as JSON. */
	readonly json: boolean;
	/** Tell how long each command took. */
	readonly timing: boolean;
}

/** Where text goes. */
export interface Terminal {
	out(text: string): void;
	err(text: string): void;
}

/** See the opening sentence. */
export class CliContext implements AsyncDisposable {
	options: GlobalOptions;
	readonly terminal: Terminal;
	/** True in the shell, where `cd` means something. */
	readonly interactive: boolean;
	/** Set by `quit`. */
	ended = false;
	readonly #open: (options: GlobalOptions) => Promise<Connection>;
	#connection: Promise<Connection> | undefined;

	constructor(
		options: GlobalOptions,
		terminal: Terminal,
		open: (options: GlobalOptions) => Promise<Connection>,
		interactive = false,
	) {
		this.options = options;
		this.terminal = terminal;
		this.interactive = interactive;
		this.#open = open;
	}

	/** The connection to the daemon. */
	get connection(): Promise<Connection> {
		this.#connection ??= this.#open(this.options);
		return this.#connection;
	}

	/** Leaves the connection; the next command makes one with `options`. */
	async reconnect(options: Partial<GlobalOptions>): Promise<void> {
		await this[Symbol.asyncDispose]();
		this.options = { ...this.options, ...options };
	}

	/** The domain of that number, UUID or name, looked for in this order, as virsh does. */
	async domain(spelled: string): Promise<Domain> {
		const { domains } = await this.connection;
		try {
			return /^\d+$/.test(spelled)
				? await domains.get(Number(spelled)).catch(() => domains.get(spelled))
				: await domains.get(spelled);
		} catch (cause) {
			// That there is none is said already; anything else is the reason.
			const absent = cause instanceof VirtError && cause.code === "NO_DOMAIN";
			throw new CommandError(`failed to get domain '${spelled}'`, absent ? {} : { cause });
		}
	}

	/** Prints a line. */
	print(text: string): void {
		this.terminal.out(`${text}\n`);
	}

	/** Prints a line that --quiet leaves out. */
	say(text: string): void {
		if (!this.options.quiet) this.print(text);
	}

	/** Prints what --quiet leaves out, leaving the line's end to the blank line that follows each command. */
	sayInline(text: string): void {
		if (!this.options.quiet) this.terminal.out(text);
	}

	/** Prints rows as a table, or as JSON objects by the lower-case column titles. */
	table(header: readonly string[], rows: readonly (readonly string[])[]): void {
		if (this.options.json) {
			const keys = header.map((title) => title.toLowerCase().replaceAll(" ", "_"));
			const objects = rows.map((cells) => Object.fromEntries(keys.map((key, column) => [key, cells[column] ?? ""])));
			this.print(JSON.stringify(objects, undefined, 2));
		} else if (this.options.quiet) for (const cells of rows) this.print(` ${cells.join("   ")}`);
		else this.terminal.out(formatTable(header, rows));
	}

	/** Prints facts, one a line with its name padded to `width`, or as one JSON object. */
	facts(facts: readonly (readonly [name: string, value: string])[], width: number): void {
		if (this.options.json) this.print(JSON.stringify(Object.fromEntries(facts), undefined, 2));
		else for (const [name, value] of facts) this.print(`${`${name}:`.padEnd(width)}${value}`);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		const connection = this.#connection;
		this.#connection = undefined;
		await (await connection?.catch(() => undefined))?.close();
	}
}

/** What the system calls the reason of a failed call, such as `No such file or directory`. */
export function systemErrorText(failure: unknown): string {
	const { errno, message } = failure as NodeJS.ErrnoException;
	if (errno === undefined) return message;
	const text = getSystemErrorMessage(errno);
	return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Runs `action`; a complaint of the command's own stands above `message`, as in virsh, the daemon's below it. */
export async function orFailOfOwn<T>(message: string, action: () => T | Promise<T>): Promise<T> {
	try {
		return await action();
	} catch (cause) {
		if (cause instanceof CommandError) throw new CommandError(`${cause.message}\nerror: ${message}`);
		throw new CommandError(message, { cause });
	}
}

/** Runs `action`; when it fails, tells `message` above the reason, as virsh does. */
export async function orFail<T>(message: string, action: Promise<T>): Promise<T> {
	try {
		return await action;
	} catch (cause) {
		throw new CommandError(message, { cause });
	}
}
