// QMP messages: what a line from QEMU says, and the text of a command (QEMU: docs/interop/qmp-spec.txt).

import { VirtError } from "@virtkit/base/errors";
import type { QmpEvents } from "@virtkit/qapi/schema.gen";

/** First message on a connection: QEMU's version and the capabilities that it offers. */
export interface QmpGreeting {
	readonly kind: "greeting";
	readonly version: { readonly major: number; readonly minor: number; readonly micro: number };
	/** Distribution's package, empty where QEMU was built without. */
	readonly package: string;
	readonly capabilities: readonly string[];
}

export interface QmpReturn {
	readonly kind: "return";
	readonly id: string | undefined;
	readonly value: unknown;
	/** The line as it came, for callers that pass it on. */
	readonly line: string;
}

export interface QmpFailure {
	readonly kind: "error";
	readonly id: string | undefined;
	/** QEMU's error class, nearly always GenericError. */
	readonly class: string;
	readonly desc: string;
	readonly line: string;
}

/** An event of name `N`; `timestamp` counts microseconds since the epoch. */
export type QmpEventOf<N extends keyof QmpEvents> = {
	readonly kind: "event";
	readonly event: N;
	readonly data: QmpEvents[N];
	readonly timestamp: number;
};

/** Any event of QEMU's schema. A newer QEMU may send one that is not in it: have a default branch. */
export type QmpEvent = { [N in keyof QmpEvents]: QmpEventOf<N> }[keyof QmpEvents];

export type QmpMessage = QmpGreeting | QmpReturn | QmpFailure | QmpEvent;

type Members = Readonly<Record<string, unknown>>;

/** The message in `line`. Throws INTERNAL_ERROR on text that is no JSON object or no QMP message. */
export function parseMessage(line: string): QmpMessage {
	const object = parseObject(line);
	if ("return" in object) return { kind: "return", id: idOf(object), value: object["return"], line };
	if ("event" in object) return parseEvent(object);
	if ("error" in object) return parseFailure(object, line);
	if ("QMP" in object) return parseGreeting(membersOf(object["QMP"]));
	throw new VirtError("INTERNAL_ERROR", `unknown message from the monitor: ${excerptOf(line)}`);
}

/** The JSON object in `line`; INTERNAL_ERROR where there is none. */
export function parseObject(line: string): Members {
	let value: unknown;
	try {
		value = JSON.parse(line);
	} catch (cause) {
		throw new VirtError("INTERNAL_ERROR", `cannot parse JSON from the monitor: ${excerptOf(line)}`, { cause });
	}
	if (typeof value !== "object" || value === null || Array.isArray(value))
		throw new VirtError("INTERNAL_ERROR", `monitor sent no JSON object: ${excerptOf(line)}`);
	return value as Members;
}

/** A command as one line. Members of `args` that are undefined are left out. */
export function formatCommand(
	verb: "execute" | "exec-oob",
	name: string,
	args: object | undefined,
	id?: string,
): string {
	return `${formatJson({ [verb]: name, arguments: args, id })}\r\n`;
}

/** JSON has numbers of any length; JavaScript writes none beyond 2^53 by itself. */
function formatJson(value: object): string {
	try {
		return JSON.stringify(value);
	} catch {
		const big: bigint[] = [];
		const text = JSON.stringify(value, (_, member: unknown) =>
			typeof member === "bigint" ? `\0${big.push(member) - 1}` : member,
		);
		return text.replace(/"\\u0000(\d+)"/g, (_, index) => String(big[Number(index)]));
	}
}

function parseGreeting(qmp: Members): QmpGreeting {
	const version = membersOf(qmp["version"]);
	const { major, minor, micro } = membersOf(version["qemu"]);
	return {
		kind: "greeting",
		version: { major: Number(major), minor: Number(minor), micro: Number(micro) },
		package: typeof version["package"] === "string" ? version["package"] : "",
		capabilities: Array.isArray(qmp["capabilities"]) ? qmp["capabilities"].map(String) : [],
	};
}

function parseFailure(object: Members, line: string): QmpFailure {
	const error = membersOf(object["error"]);
	return { kind: "error", id: idOf(object), class: String(error["class"]), desc: String(error["desc"] ?? ""), line };
}

function parseEvent(object: Members): QmpEvent {
	const { seconds, microseconds } = membersOf(object["timestamp"]);
	const timestamp = Number(seconds ?? 0) * 1_000_000 + Number(microseconds ?? 0);
	const data = membersOf(object["data"]);
	return { kind: "event", event: object["event"], data, timestamp } as QmpEvent;
}

function membersOf(value: unknown): Members {
	return typeof value === "object" && value !== null ? (value as Members) : {};
}

function idOf(object: Members): string | undefined {
	return object["id"] === undefined ? undefined : String(object["id"]);
}

function excerptOf(line: string): string {
	return line.length <= 200 ? line : `${line.slice(0, 200)}…`;
}
