// From a URI to an open connection: the way there, authentication, keepalive, and opening the hypervisor.

import { VirtError } from "@virtkit/base/errors";
import { FEATURES } from "@virtkit/protocol/features";
import { AUTH_TYPES } from "@virtkit/protocol/types/auth";
import { RpcClient, type RpcClientOptions } from "./rpc-client.ts";
import { openTransport } from "./transport.ts";
import { parseConnectionUri } from "./uri.ts";

export interface RpcConnectOptions extends RpcClientOptions {
	/** Only looks; changing calls are refused by the daemon. */
	readonly readOnly?: boolean;
	/** Gives up connecting. */
	readonly signal?: AbortSignal;
}

/** VIR_CONNECT_RO */
const OPEN_READ_ONLY = 1;
/** Asking a silent daemon after so long, as virsh does, in milliseconds. */
const KEEPALIVE_INTERVAL = 5000;

/**
 * Connects to the daemon that `uri` names and opens the hypervisor there.
 *
 * Throws INVALID_ARG for what is no URI, SYSTEM_ERROR when there is no way to the daemon, AUTH_UNAVAILABLE when it asks
 * for authentication that this client cannot give, and what else the daemon answers.
 */
export async function connectRpc(uri: string, options: RpcConnectOptions = {}): Promise<RpcClient> {
	const parsed = parseConnectionUri(uri);
	const readOnly = options.readOnly ?? false;
	const socket = await openTransport(parsed, { readOnly, signal: options.signal });
	const client = new RpcClient(socket, { keepaliveInterval: KEEPALIVE_INTERVAL, ...options });
	try {
		await openHypervisor(client, parsed.remoteName, readOnly, options.signal);
	} catch (error) {
		socket.destroy();
		throw error;
	}
	return client;
}

async function openHypervisor(
	client: RpcClient,
	name: string,
	readOnly: boolean,
	signal: AbortSignal | undefined,
): Promise<void> {
	const options = signal === undefined ? {} : { signal };
	await authenticate(client);
	const { supported } = await client.call("CONNECT_SUPPORTS_FEATURE", { feature: FEATURES.PROGRAM_KEEPALIVE }, options);
	if (supported !== 0) client.startKeepalive();
	await client.call("CONNECT_OPEN", { name, flags: readOnly ? OPEN_READ_ONLY : 0 }, options);
}

async function authenticate(client: RpcClient): Promise<void> {
	const { types } = await client.call("AUTH_LIST");
	const type = types[0] ?? AUTH_TYPES.NONE;
	if (type === AUTH_TYPES.NONE) return;
	if (type === AUTH_TYPES.POLKIT) return void (await client.call("AUTH_POLKIT"));
	throw new VirtError("AUTH_UNAVAILABLE", "the daemon asks for SASL, which this client does not speak", {
		domain: "REMOTE",
	});
}
