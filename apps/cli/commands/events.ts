// Commands that wait for events of domains and of QEMU's monitor.

import {
	ALL_EVENT_KINDS,
	type Event,
	type EventFacts,
	type EventKind,
	type GraphicsAddress,
} from "@virtkit/client/sdk/events";
import type { CliContext } from "../context.ts";
import { CommandError, SilentFailure } from "../context.ts";
import { flag, optional, optionalNumber } from "../grammar/command.ts";
import { type CliCommand, declare, exclusive } from "./declare.ts";

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
/** virDomainBlockJobType */
export const BLOCK_JOB_TYPES = [
	"Unknown job",
	"Block Pull",
	"Block Copy",
	"Block Commit",
	"Active Block Commit",
	"Backup",
];
const IO_ACTIONS = ["none", "pause", "report"];

const blockJob = (disk: string, type: number, status: number): string =>
	`: ${word(BLOCK_JOB_TYPES, type)} for ${disk} ${word(["completed", "failed", "canceled", "ready"], status)}`;

/** What is printed after `event 'kind' for domain 'name'`, one row a kind. */
const TEXTS: { readonly [K in EventKind]: (facts: EventFacts[K]) => string } = {
	lifecycle: ({ event, detail }) => `: ${LIFECYCLE_WORDS[event] ?? event} ${DETAIL_WORDS[detail] ?? capital(detail)}`,
	reboot: () => "",
	"rtc-change": ({ offset }) => `: ${offset}`,
	watchdog: ({ action }) => `: ${word(WATCHDOG_ACTIONS, action)}`,
	"io-error": ({ path, device, action, reason }) =>
		`: ${path} (${device}) ${word(IO_ACTIONS, action)} due to ${reason}`,
	"io-error-legacy": ({ path, device, action }) => `: ${path} (${device}) ${word(IO_ACTIONS, action)}`,
	graphics: ({ phase, local, remote, authScheme, subject }) => {
		const end = ({ family, node, service }: GraphicsAddress): string =>
			`[${word(["IPv4", "IPv6", "unix"], family)} ${node} ${service}]`;
		const who = subject.map(({ type, name }) => `\n\t${type}=${name}`).join("");
		return `: ${word(["connect", "initialize", "disconnect"], phase)} local${end(local)} remote${end(remote)} ${authScheme}${who}`;
	},
	"control-error": () => "",
	"tray-change": ({ device, reason }) => ` disk ${device}: ${word(["opened", "closed"], reason)}`,
	"disk-change": ({ device, oldPath, newPath, reason }) =>
		` disk ${device}: ${oldPath ?? "<null>"} -> ${newPath ?? "<null>"}: ${word(["changed", "dropped"], reason)}`,
	"balloon-change": ({ actual }) => `: ${actual}KiB`,
	pmsuspend: () => "",
	pmwakeup: () => "",
	"pmsuspend-disk": () => "",
	"device-added": ({ device }) => `: ${device}`,
	"device-removed": ({ device }) => `: ${device}`,
	"block-job": ({ target, type, status }) => blockJob(target, type, status),
	"block-job-legacy": ({ path, type, status }) => blockJob(path, type, status),
	tunable: ({ parameters }) => `:${parameterLines(parameters)}`,
	"agent-lifecycle": ({ state, reason }) =>
		`: state: '${word(["unknown", "connected", "disconnected"], state)}' reason: '${word(["unknown", "domain started", "channel event"], reason)}'`,
	"migration-iteration": ({ iteration }) => `: iteration: '${iteration}'`,
	"device-removal-failed": ({ device }) => `: ${device}`,
	"block-threshold": ({ device, path, threshold, excess }) =>
		`: dev: ${device}(${path ?? "<null>"}) ${threshold} ${excess}`,
	"memory-failure": ({ recipient, action, flags }) =>
		`:\nrecipient: ${word(["hypervisor", "guest"], recipient)}\naction: ${word(["ignore", "inject", "fatal", "reset"], action)}\nflags:\n\taction required: ${flags & 1}\n\trecursive: ${(flags >> 1) & 1}`,
	"memory-device-size-change": ({ alias, size }) => `:\nalias: ${alias}\nsize: ${size}`,
	"job-completed": ({ parameters }) => `:${parameterLines(parameters)}`,
	"metadata-change": ({ type, uri }) =>
		`: type ${word(["description", "title", "element"], type)}, uri ${uri ?? "<null>"}`,
};

/** virsh's names of kinds where they differ from ours. */
const PRINTED_KINDS: Partial<Record<EventKind, string>> = {
	"io-error": "io-error-reason",
	"io-error-legacy": "io-error",
	pmsuspend: "pm-suspend",
	pmwakeup: "pm-wakeup",
	"pmsuspend-disk": "pm-suspend-disk",
	"block-job": "block-job-2",
	"block-job-legacy": "block-job",
};

const printedKind = (kind: EventKind): string => PRINTED_KINDS[kind] ?? kind;

/** The line that virsh prints for an event. */
export function eventLine(event: Event): string {
	const text = TEXTS[event.kind] as (facts: Event) => string;
	return `event '${printedKind(event.kind)}' for domain '${event.domain.name}'${text(event)}`;
}

/** The names of all kinds of events, as virsh has them. */
export const eventNames = (): string[] => ALL_EVENT_KINDS.map(printedKind);

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
	}
	context.print(`events received: ${count}`);
	if (count === 0) throw new SilentFailure();
}

function checkTimeout(timeout: number | undefined): void {
	if (timeout !== undefined && (timeout <= 0 || timeout > 2147483))
		throw new CommandError(`Numeric value '${timeout}' for <timeout> option is malformed or out of range`);
}

const waitOptions = {
	loop: flag("loop until timeout or interrupt, rather than one-shot"),
	timeout: optionalNumber("timeout seconds"),
} as const;
const timestamp = flag("show timestamp for each printed event");

const event = declare({
	name: "event",
	summary: "Domain Events",
	description: "List event types, or wait for domain events to occur",
	options: {
		domain: optional("filter by domain name, id or uuid", { completes: "domain" }),
		event: optional("which event type to wait for", { completes: "event" }),
		all: flag("wait for all events instead of just one type"),
		...waitOptions,
		list: flag("list valid event types"),
		timestamp,
	},
	async run(context, args) {
		exclusive(args, "all", "event");
		exclusive(args, "list", "all");
		exclusive(args, "list", "event");
		if (args.list) {
			if (context.options.json)
				return context.table(
					["event"],
					ALL_EVENT_KINDS.map((kind) => [printedKind(kind)]),
				);
			for (const kind of ALL_EVENT_KINDS) context.print(printedKind(kind));
			return;
		}
		if (args.event === undefined && !args.all)
			throw new CommandError("one of --list, --all, or --event <type> is required");
		const kinds = args.all ? ALL_EVENT_KINDS : ALL_EVENT_KINDS.filter((kind) => printedKind(kind) === args.event);
		if (kinds.length === 0) throw new CommandError(`unknown event type ${args.event}`);
		checkTimeout(args.timeout);
		const connection = await context.connection;
		const domain = args.domain === undefined ? {} : { domain: await context.domain(args.domain) };
		await using stream = await connection.openEvents({ kinds, ...domain });
		const lines = {
			next: async (): Promise<IteratorResult<string>> => {
				const next = await stream.next();
				return next.done ? { done: true, value: undefined } : { done: false, value: eventLine(next.value) };
			},
		};
		await printUntilDone(context, lines, args);
	},
});

const monitorEvent = declare({
	name: "qemu-monitor-event",
	summary: "QEMU Monitor Events",
	description: "Listen for QEMU Monitor Events",
	options: {
		domain: optional("filter by domain name, id or uuid", { completes: "domain" }),
		event: optional("filter by event name"),
		pretty: flag("pretty-print any JSON output"),
		...waitOptions,
		regex: flag("treat event as a regex rather than literal filter"),
		"no-case": flag("treat event case-insensitively"),
		timestamp,
	},
	async run(context, args) {
		checkTimeout(args.timeout);
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
