// Events of graphical consoles: a client connects, is let in, goes away.

import type { GraphicsAddress } from "@virtkit/core/events";
import type { EventHandlers, EventSource } from "./handler.ts";

/** virDomainEventGraphicsPhase. */
const PHASE = { connect: 0, initialize: 1, disconnect: 2 } as const;
/** virDomainEventGraphicsAddressType. */
const FAMILY: Readonly<Record<string, number>> = { ipv4: 0, ipv6: 1, unix: 2 };

interface VncEnd {
	readonly host: string;
	readonly service: string;
	readonly family: string;
	readonly auth?: string | undefined;
	readonly sasl_username?: string | undefined;
	readonly x509_dname?: string | undefined;
}

interface SpiceEnd {
	readonly host: string;
	readonly port: string;
	readonly family: string;
	readonly auth?: string | undefined;
}

const addressOf = (family: string, node: string, service: string): GraphicsAddress => ({
	family: FAMILY[family] ?? 0,
	node,
	service,
});

const vnc =
	(phase: keyof typeof PHASE) =>
	({ driver, domain }: EventSource, { server, client }: { readonly server: VncEnd; readonly client: VncEnd }): void => {
		const subject = [
			...(client.x509_dname === undefined ? [] : [{ type: "x509dname", name: client.x509_dname }]),
			...(client.sasl_username === undefined ? [] : [{ type: "saslUsername", name: client.sasl_username }]),
		];
		driver.emit("graphics", domain.ref, {
			phase: PHASE[phase],
			local: addressOf(server.family, server.host, server.service),
			remote: addressOf(client.family, client.host, client.service),
			authScheme: server.auth ?? "",
			subject,
		});
	};

const spice =
	(phase: keyof typeof PHASE) =>
	(
		{ driver, domain }: EventSource,
		{ server, client }: { readonly server: SpiceEnd; readonly client: SpiceEnd },
	): void => {
		driver.emit("graphics", domain.ref, {
			phase: PHASE[phase],
			local: addressOf(server.family, server.host, server.port),
			remote: addressOf(client.family, client.host, client.port),
			authScheme: server.auth ?? "",
			subject: [],
		});
	};

export const graphicsEvents: EventHandlers = {
	VNC_CONNECTED: vnc("connect"),
	VNC_INITIALIZED: vnc("initialize"),
	VNC_DISCONNECTED: vnc("disconnect"),
	SPICE_CONNECTED: spice("connect"),
	SPICE_INITIALIZED: spice("initialize"),
	SPICE_DISCONNECTED: spice("disconnect"),
};
