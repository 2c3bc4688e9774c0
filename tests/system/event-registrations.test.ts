// Registering for events over the wire, the ways of older clients too: what libvirtd answers and sends, call by call.

import assert from "node:assert/strict";
import { test } from "node:test";
import { toVirtError } from "@virtkit/base/errors";
import { type Connection, connect } from "@virtkit/client/sdk/connection";
import { startDaemon } from "@virtkit/testing/daemon";
import { startLibvirtd } from "@virtkit/testing/oracle";

/** virDomainEventID. */
const ID = { lifecycle: 0, reboot: 1, deviceRemoved: 15, metadataChange: 23, beyond: 90 } as const;

/** A name's own, so that a domain can be defined again. */
const uuid = (name: string): string =>
	`0c6d3d5e-8f1b-4c53-9d0a-${Buffer.from(name.padEnd(6)).toString("hex").slice(0, 12)}`;

const xml = (name: string): string =>
	`<domain type='qemu'><name>${name}</name><uuid>${uuid(name)}</uuid><memory>65536</memory><os><type>hvm</type></os></domain>`;

/** Everything that a client is answered and sent, one line each. */
async function play({ rpc, domains }: Connection, watcher: Connection): Promise<string[]> {
	const told: string[] = [];
	const attempt = async (what: string, call: () => Promise<unknown>): Promise<void> => {
		const answer = await call().then(
			// Numbers of callbacks are each daemon's own.
			(value) => JSON.stringify(value)?.replace(/\d+/, "N"),
			(error) => toVirtError(error).code,
		);
		told.push(`${what}: ${answer}`);
	};
	rpc.onEvent("DOMAIN_EVENT_LIFECYCLE", ({ dom, event, detail }) => told.push(`plain ${dom.name} ${event} ${detail}`));
	rpc.onEvent("DOMAIN_EVENT_CALLBACK_METADATA_CHANGE", ({ dom, type, nsuri }) =>
		told.push(`metadata ${dom.name} ${type} ${nsuri}`),
	);
	const fence = await watcher.openEvents({ kinds: ["lifecycle"], domain: await watcher.domains.define(xml("fence")) });
	/** Whatever was done before has been sent once another client has heard of the fence, and is here once something is answered. */
	const settle = async (): Promise<void> => {
		await watcher.domains.define(xml("fence"));
		await fence.next();
		await rpc.call("CONNECT_GET_TYPE");
	};
	const life = async (name: string): Promise<void> => {
		await (await domains.define(xml(name))).undefine();
		await settle();
	};

	await life("unheard");
	await attempt("register", () => rpc.call("CONNECT_DOMAIN_EVENT_REGISTER"));
	await attempt("register again", () => rpc.call("CONNECT_DOMAIN_EVENT_REGISTER"));
	await life("heard");
	await attempt("deregister", () => rpc.call("CONNECT_DOMAIN_EVENT_DEREGISTER"));
	await attempt("deregister again", () => rpc.call("CONNECT_DOMAIN_EVENT_DEREGISTER"));
	await life("unheard");
	for (const [name, eventID] of Object.entries(ID))
		await attempt(`register ${name}`, () => rpc.call("CONNECT_DOMAIN_EVENT_REGISTER_ANY", { eventID }));
	await life("heard");
	for (const [name, eventID] of Object.entries(ID))
		await attempt(`deregister ${name}`, () => rpc.call("CONNECT_DOMAIN_EVENT_DEREGISTER_ANY", { eventID }));
	await life("unheard");

	const one = await domains.define(xml("one"));
	const other = await domains.define(xml("other"));
	const register = (eventID: number, dom = one.ref as typeof one.ref | null) =>
		rpc.call("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", { eventID, dom });
	const { callbackID } = await register(ID.metadataChange);
	for (const domain of [one, other])
		await rpc.call("DOMAIN_SET_METADATA", { dom: domain.ref, type: 1, metadata: "T", key: null, uri: null, flags: 2 });
	await settle();
	await attempt("deregister a callback", () =>
		rpc.call("CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY", { callbackID }),
	);
	await attempt("again", () => rpc.call("CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY", { callbackID }));
	await rpc.call("DOMAIN_SET_METADATA", { dom: one.ref, type: 1, metadata: "U", key: null, uri: null, flags: 2 });
	await settle();
	await attempt("an event that is none", () => register(ID.beyond));
	await attempt("of no domain", () =>
		register(ID.lifecycle, { ...one.ref, uuid: "11111111-1111-4111-8111-111111111111" }),
	);
	for (const domain of [one, other]) await domain.undefine();
	await fence.return();
	return told;
}

test("registrations are answered and served as libvirtd does", async (context) => {
	await using virtkit = await startDaemon();
	await using libvirtd = await startLibvirtd();
	const [ours, theirs] = await Promise.all(
		[virtkit, libvirtd].map(async ({ uri }) => {
			await using connection = await connect(uri);
			await using watcher = await connect(uri);
			return await play(connection, watcher);
		}),
	);
	context.diagnostic(JSON.stringify(theirs));
	assert.deepEqual(ours, theirs);
});
