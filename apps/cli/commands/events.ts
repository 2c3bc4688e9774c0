// Commands that wait for events of domains and of QEMU's monitor.

import type { Event, EventFacts, EventKind } from "@virtkit/client/sdk/events";
import { EVENT_KINDS } from "@virtkit/client/sdk/events";
import type { CliContext } from "../context.ts";
import { CommandError } from "../context.ts";
import { flag, named, namedNumber } from "../grammar/command.ts";
import { type CliCommand, declare } from "./declare.ts";

const LIFECYCLE_WORDS: Readonly<Record<string, string>> = {
	defined: "Defined",
	undefined: "Undefined",
	started: "Started",
	suspended: "Suspended",
	resumed: "Resumed",
	stopped: "Stopped",
	shutdown: "Shutdown",
	pmsuspended: "PMSuspended",
	crashed: "Crashed",
};

/** Details whose printed words are not just their names with a capital. */
const DETAIL_WORDS: Readonly<Record<string, string>> = {
	"from-snapshot": "Snapshot",
	wakeup: "Event wakeup",
	ioerror: "I/O Error",
	"api-error": "API error",
	postcopy: "Post-copy",
	"postcopy-failed": "Post-copy Error",
	guest: "Finished after guest request",
	host: "Finished after host request",
};

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
const word = (words: readonly string[], number: number): string => words[number] ?? "unknown";
const parameterLines = (parameters: Readonly<Record<string, unknown>>): string =>
	Object.entries(parameters)
		.map(([name, value]) => `\n\t${name}: ${value}`)
		.join("");

const WATCHDOG_ACTIONS = ["none", "pause", "reset", "poweroff", "shutdown", "debug", "inject-nmi"];
const IO_ACTIONS = ["none", "pause", "report"];

/** What is printed after `event 'kind' for domain 'name'`, one row a kind. */
const TEXTS: { readonly [K in EventKind]: (facts: EventFacts[K]) => string } = {
	lifecycle: ({ event, detail }) => `: ${LIFECYCLE_WORDS[event] ?? event} ${DETAIL_WORDS[detail] ?? capital(detail)}`,
	reboot: () => "",
	"rtc-change": ({ offset }) => `: ${offset}`,
	watchdog: ({ action }) => `: ${word(WATCHDOG_ACTIONS, action)}`,
	"io-error": ({ path, device, action, reason }) =>
		`: ${path} (${device}) ${word(IO_ACTIONS, action)} due to ${reason}`,
	"control-error": () => "",
	"tray-change": ({ device, reason }) => ` disk ${device}: ${word(["opened", "closed"], reason)}`,
	"disk-change": ({ device, oldPath, newPath, reason }) =>
		` disk ${device}: ${oldPath ?? ""} -> ${newPath ?? ""}: ${word(["changed", "dropped"], reason)}`,
	"balloon-change": ({ actual }) => `: ${actual}KiB`,
	pmsuspend: () => "",
	pmwakeup: () => "",
	"device-added": ({ device }) => `: ${device}`,
	"device-removed": ({ device }) => `: ${device}`,
	"block-job": ({ target, type, status }) =>
		`: ${word(["unknown", "Block Pull", "Block Copy", "Block Commit", "Active Block Commit", "Backup"], type)} for ${target} ${word(["completed", "failed", "canceled", "ready"], status)}`,
	tunable: ({ parameters }) => `:${parameterLines(parameters)}`,
	"agent-lifecycle": ({ state, reason }) =>
		`: state: '${word(["unknown", "connected", "disconnected"], state)}' reason: '${word(["unknown", "domain started", "channel event"], reason)}'`,
	"job-completed": ({ parameters }) => `:${parameterLines(parameters)}`,
	"metadata-change": ({ type, uri }) =>
		`: type ${word(["description", "title", "element"], type)}, uri ${uri ?? "(null)"}`,
};

/** virsh's names of kinds where they differ from ours. */
const PRINTED_KINDS: Partial<Record<EventKind, string>> = {
	"io-error": "io-error-reason",
	pmsuspend: "pm-suspend",
	pmwakeup: "pm-wakeup",
	"block-job": "block-job-2",
};

const printedKind = (kind: EventKind): string => PRINTED_KINDS[kind] ?? kind;

/** The line that virsh prints for an event. */
export function eventLine(event: Event): string {
	const text = TEXTS[event.kind] as (facts: Event) => string;
	return `event '${printedKind(event.kind)}' for domain '${event.domain.name}'${text(event)}`;
}

const stamp = (now = new Date()): string => now.toISOString().replace("T", " ").replace("Z", "+0000");

interface WaitOptions {
	readonly loop: boolean;
	readonly timeout: number | undefined;
	readonly timestamp: boolean;
}

/** Prints lines as they come until one was printed (or, with loop, until interrupted), the time is up, or the connection ends. */
async function printUntilDone(context: CliContext, lines: AsyncIterator<string>, options: WaitOptions): Promise<void> {
	const { promise: stopped, resolve: stop } = Promise.withResolvers<string>();
	const timer =
		options.timeout === undefined ? undefined : setTimeout(() => stop("event loop timed out"), options.timeout * 1000);
	const interrupt = (): void => stop("event loop interrupted");
	process.once("SIGINT", interrupt);
	let count = 0;
	try {
		for (;;) {
			const next = await Promise.race([lines.next(), stopped]);
			if (typeof next === "string") {
				context.print(next);
				break;
			}
			if (next.done) break;
			count++;
			context.print(options.timestamp ? `${stamp()}: ${next.value}` : next.value);
			if (!options.loop) break;
		}
	} finally {
		clearTimeout(timer);
		process.off("SIGINT", interrupt);
		await lines.return?.();
	}
	context.print(`events received: ${count}`);
	if (count === 0) throw new CommandError("no event was received");
}

const waitOptions = {
	loop: flag("loop until timeout or interrupt, rather than one-shot"),
	timeout: namedNumber("timeout seconds"),
	timestamp: flag("show timestamp for each printed event"),
} as const;

const event = declare({
	name: "event",
	summary: "Domain Events",
	description: "List event types, or wait for domain events to occur",
	options: {
		domain: named("filter by domain name, id or uuid", { completes: "domain" }),
		event: named("which event type to wait for", { completes: "event" }),
		all: flag("wait for all events instead of just one type"),
		...waitOptions,
		list: flag("list valid event types"),
	},
	async run(context, args) {
		if (args.list) {
			for (const kind of EVENT_KINDS) context.print(printedKind(kind));
			return;
		}
		if (args.event === undefined && !args.all)
			throw new CommandError("one of --list, --all, or --event <type> is required");
		const kinds = args.all
			? EVENT_KINDS
			: EVENT_KINDS.filter((kind) => kind === args.event || printedKind(kind) === args.event);
		if (kinds.length === 0) throw new CommandError(`unknown event type ${args.event}`);
		const connection = await context.connection;
		const domain = args.domain === undefined ? {} : { domain: await context.domain(args.domain) };
		const stream = await connection.openEvents({ kinds, ...domain });
		const lines = (async function* () {
			for await (const one of stream) yield eventLine(one);
		})();
		await printUntilDone(context, lines, args);
	},
});

const monitorEvent = declare({
	name: "qemu-monitor-event",
	summary: "QEMU Monitor Events",
	description: "Listen for QEMU Monitor Events",
	options: {
		domain: named("filter by domain name, id or uuid", { completes: "domain" }),
		event: named("filter by event name"),
		pretty: flag("pretty-print any JSON output"),
		...waitOptions,
		regex: flag("treat event as a regex rather than literal filter"),
		"no-case": flag("treat event case-insensitively"),
	},
	async run(context, args) {
		const { rpc } = await context.connection;
		const dom = args.domain === undefined ? null : (await context.domain(args.domain)).ref;
		const queue: string[] = [];
		let wake = (): void => undefined;
		const stop = rpc.onEvent(
			"DOMAIN_MONITOR_EVENT",
			({ dom: { name }, event: kind, seconds, micros, details }) => {
				const shown =
					details !== null && args.pretty ? JSON.stringify(JSON.parse(details), undefined, 2) : (details ?? "");
				queue.push(`event ${kind} at ${seconds}.${String(micros).padStart(6, "0")} for domain '${name}': ${shown}`);
				wake();
			},
			"qemu",
		);
		const flags = (args.regex ? 1 : 0) | (args["no-case"] ? 2 : 0);
		const { callbackID } = await rpc.call(
			"CONNECT_DOMAIN_MONITOR_EVENT_REGISTER",
			{ dom, event: args.event ?? null, flags },
			{ program: "qemu" },
		);
		const lines = (async function* () {
			try {
				for (;;) {
					for (let line = queue.shift(); line !== undefined; line = queue.shift()) yield line;
					await new Promise<void>((resolve) => {
						wake = resolve;
					});
				}
			} finally {
				stop();
			}
		})();
		await printUntilDone(context, { next: () => lines.next() }, args);
		stop();
		await rpc.call("CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER", { callbackID }, { program: "qemu" });
	},
});

export const eventCommands: readonly CliCommand[] = [event, monitorEvent];
