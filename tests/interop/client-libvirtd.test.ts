// Our client against libvirt's own daemon, with its test driver, which behaves the same on every machine.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connectRpc } from "@virtkit/client/connect";
import type { RpcClient } from "@virtkit/client/rpc-client";
import type { DomainRef } from "@virtkit/protocol/types/object";
import { isVirtError } from "@virtkit/testing/expect-error";
import { type Oracle, startLibvirtd } from "@virtkit/testing/oracle";

/** libvirt's test driver, through the daemon. */
const testDriver = ({ socket }: Oracle): string => `test+unix:///default?socket=${socket}`;

let libvirtd: Oracle;
let client: RpcClient;
let dom: DomainRef;

before(async () => {
	libvirtd = await startLibvirtd();
	client = await connectRpc(testDriver(libvirtd));
	({ dom } = await client.call("DOMAIN_LOOKUP_BY_NAME", { name: "test" }));
});

after(async () => {
	await client.close();
	await libvirtd[Symbol.asyncDispose]();
});

test("facts about connection and host arrive as they are", async () => {
	assert.deepEqual(await client.call("CONNECT_GET_URI"), { uri: "test:///default" });
	assert.deepEqual(await client.call("CONNECT_GET_TYPE"), { type: "TEST" });
	const { model, memory, cpus } = await client.call("NODE_GET_INFO");
	assert.deepEqual([model, memory, cpus], ["i686", 3145728n, 16]);
	const { model: security } = await client.call("NODE_GET_SECURITY_MODEL");
	assert.equal(security, "testSecurity");
});

test("lists of domains and their statistics arrive whole", async () => {
	const { domains } = await client.call("CONNECT_LIST_ALL_DOMAINS", { needResults: 1, flags: 0 });
	assert.deepEqual(domains, [dom]);
	const { retStats } = await client.call("CONNECT_GET_ALL_DOMAIN_STATS", { doms: [], stats: 0, flags: 0 });
	assert.deepEqual(retStats, [
		{
			dom,
			params: [
				{ field: "state.state", value: { type: 1, value: 1 } },
				{ field: "state.reason", value: { type: 1, value: 0 } },
			],
		},
	]);
});

test("events of two kinds arrive, in order", async () => {
	const seen: unknown[] = [];
	const both = Promise.withResolvers<void>();
	client.onEvent("DOMAIN_EVENT_CALLBACK_LIFECYCLE", ({ msg: { event, detail } }) =>
		seen.push(["lifecycle", event, detail]),
	);
	client.onEvent("DOMAIN_EVENT_CALLBACK_METADATA_CHANGE", ({ type }) => {
		seen.push(["metadata", type]);
		both.resolve();
	});
	for (const eventID of [0, 23])
		await client.call("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", { eventID, dom: null });
	await client.call("DOMAIN_SUSPEND", { dom });
	await client.call("DOMAIN_RESUME", { dom });
	await client.call("DOMAIN_SET_METADATA", { dom, type: 1, metadata: "a title", key: null, uri: null, flags: 0 });
	await both.promise;
	assert.deepEqual(seen, [
		["lifecycle", 3, 0],
		["lifecycle", 4, 0],
		["metadata", 1],
	]);
});

test("typed parameters of both directions are understood", async () => {
	const weight = { field: "weight", value: { type: 2, value: 50 } } as const;
	await client.call("DOMAIN_SET_SCHEDULER_PARAMETERS", { dom, params: [weight] });
	const { nparams } = await client.call("DOMAIN_GET_SCHEDULER_TYPE", { dom });
	const { params } = await client.call("DOMAIN_GET_SCHEDULER_PARAMETERS", { dom, nparams });
	assert.deepEqual(params, [weight]);
});

test("a stream is read to its end", async () => {
	const { ret, stream } = await client.callWithStream("DOMAIN_SCREENSHOT", { dom, screen: 0, flags: 0 });
	assert.equal(ret.mime, "image/png");
	const picture = Buffer.concat(await stream.toArray());
	assert.equal(picture.subarray(0, 8).toString("latin1"), "\x89PNG\r\n\x1a\n");
	assert.equal(picture.subarray(-8, -4).toString("latin1"), "IEND");
});

test("a stream is given up in the middle, and the connection goes on", async () => {
	const { stream } = await client.callWithStream("DOMAIN_SCREENSHOT", { dom, screen: 0, flags: 0 });
	stream.destroy();
	assert.deepEqual(await client.call("CONNECT_GET_TYPE"), { type: "TEST" });
});

test("errors carry libvirt's code, subsystem and words", async () => {
	await assert.rejects(
		client.call("DOMAIN_LOOKUP_BY_NAME", { name: "none" }),
		isVirtError("NO_DOMAIN", "Domain not found"),
	);
	const opening = client.callWithStream("DOMAIN_OPEN_CONSOLE", { dom, devName: null, flags: 0 });
	await assert.rejects(opening, isVirtError("NO_SUPPORT", "virDomainOpenConsole"));
});

test("a procedure newer than the daemon is refused by it, and the connection goes on", async () => {
	const args = { dom, group: "g", params: [], flags: 0 };
	await assert.rejects(client.call("DOMAIN_SET_THROTTLE_GROUP", args), isVirtError("RPC", "unknown procedure: 451"));
	assert.deepEqual(await client.call("CONNECT_GET_TYPE"), { type: "TEST" });
});

test("a thousand calls at once are all answered", async () => {
	const answers = await Promise.all(Array.from({ length: 1000 }, () => client.call("DOMAIN_GET_INFO", { dom })));
	assert.ok(answers.every(({ nrVirtCpu }) => nrVirtCpu === 2));
});

test("a domain is defined, described and removed with the QEMU driver", async () => {
	await using qemu = await connectRpc(libvirtd.uri);
	const xml = "<domain type='qemu'><name>interop</name><memory>65536</memory><os><type>hvm</type></os></domain>";
	const { dom: defined } = await qemu.call("DOMAIN_DEFINE_XML_FLAGS", { xml, flags: 0 });
	assert.deepEqual([defined.name, defined.id], ["interop", -1]);
	const description = await qemu.call("DOMAIN_GET_XML_DESC", { dom: defined, flags: 0 });
	assert.match(description.xml, new RegExp(`<uuid>${defined.uuid}</uuid>`));
	await qemu.call("DOMAIN_UNDEFINE_FLAGS", { dom: defined, flags: 0 });
});

test("a read-only connection may look, and is refused the rest", async () => {
	await using looking = await connectRpc(testDriver(libvirtd), { readOnly: true });
	assert.deepEqual(await looking.call("CONNECT_GET_TYPE"), { type: "TEST" });
	const refused = isVirtError("OPERATION_DENIED", "read only access prevents virDomainDestroy");
	await assert.rejects(looking.call("DOMAIN_DESTROY", { dom }), refused);
});

test("when the daemon is killed, the client knows", async () => {
	await using other = await startLibvirtd();
	const lost = await connectRpc(testDriver(other));
	await other[Symbol.asyncDispose]();
	assert.equal((await lost.closed)?.code, "RPC");
	await assert.rejects(lost.call("CONNECT_GET_TYPE"), isVirtError("RPC", "connection to the daemon is lost"));
});
