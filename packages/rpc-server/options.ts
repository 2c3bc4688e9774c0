// What a server may be told: its limits, where it logs, and what it asks before each call.

import type { ProgramName } from "@virtkit/protocol/programs";
import type { ClientContext } from "./handler.ts";

/** Limits of a server; the defaults are libvirtd's. */
export interface Limits {
	/** Connections at once; a further one is closed at once. */
	readonly maxClients: number;
	/** Calls of one client at once; further ones wait unread in its socket. */
	readonly maxRequestsPerClient: number;
	/** Bytes that wait for one client to read them, events included, before it is disconnected. */
	readonly maxUnsentBytes: number;
	/** How long a client may stay silent before it is asked, in milliseconds; 0 never asks. */
	readonly keepaliveInterval: number;
	/** How many times it is asked before it is disconnected. */
	readonly keepaliveCount: number;
}

export const DEFAULT_LIMITS: Limits = {
	maxClients: 5000,
	maxRequestsPerClient: 5,
	maxUnsentBytes: 64 * 1024 * 1024,
	keepaliveInterval: 5000,
	keepaliveCount: 5,
};

/** Where a server logs; pino's loggers fit. */
export interface Logger {
	debug(facts: object, message: string): void;
	info(facts: object, message: string): void;
	warn(facts: object, message: string): void;
	error(facts: object, message: string): void;
}

const nothing = (): void => undefined;
export const SILENT: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/**
 * Asked before each handler, with the call's decoded arguments; throws to refuse. Access control goes here.
 * It must not wait, lest calls overtake each other.
 */
export type Guard = (context: ClientContext, program: ProgramName, name: string, args: unknown) => void;
