// The order of a migration's steps, and who is told when one of them fails.

import assert from "node:assert/strict";
import test from "node:test";
import { VirtError } from "@virtkit/base/errors";
import type { RpcClient } from "../rpc-client.ts";
import { Domain } from "./domain.ts";
import { MIGRATE, migrateTo } from "./migrate.ts";

const GUEST = { name: "g", uuid: "00000000-0000-0000-0000-000000000001", id: 1 };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

interface Call {
	readonly side: string;
	readonly step: string;
	readonly cookie: string;
	readonly cancelled: number | undefined;
	readonly flags: number;
	readonly params: readonly string[];
}

/** Both daemons, which write down what they are asked; the named step fails. */
function daemons(failing: string, state = 1): { calls: Call[]; source: RpcClient; destination: RpcClient } {
	const calls: Call[] = [];
	const side = (name: string): RpcClient =>
		({
			call: async (procedure: string, args: Record<string, never> = {}) => {
				if (procedure === "CONNECT_SUPPORTS_FEATURE") return { supported: 1 };
				if (procedure === "DOMAIN_GET_STATE") return { state, reason: 1 };
				const step = /MIGRATE_([A-Z]+)3/.exec(procedure)?.[1]?.toLowerCase() ?? procedure;
				const { cookieIn, cancelled, flags, params } = args as unknown as {
					cookieIn?: Uint8Array;
					cancelled?: number;
					flags: number;
					params: { field: string }[];
				};
				const cookie = new TextDecoder().decode(cookieIn ?? new Uint8Array());
				calls.push({ side: name, step, cookie, cancelled, flags, params: params.map(({ field }) => field) });
				if (step === failing) throw new VirtError("OPERATION_FAILED", `${step} failed`);
				return { cookieOut: bytes(step), xml: "<domain/>", uriOut: "tcp:there:49152", dom: { ...GUEST, id: 7 } };
			},
		}) as unknown as RpcClient;
	return { calls, source: side("source"), destination: side("destination") };
}

const steps = (calls: readonly Call[]): string[] =>
	calls.map(
		({ side, step, cookie, cancelled }) => `${side} ${step} ${cookie}${cancelled === undefined ? "" : ` ${cancelled}`}`,
	);

test("each step hands its cookie to the next, and the guest is the destination's", async () => {
	const { calls, source, destination } = daemons("");
	const arrived = await migrateTo(source, new Domain(source, GUEST), destination, [], {
		live: true,
		autoConverge: true,
	});
	assert.equal(arrived.id, 7);
	assert.deepEqual(steps(calls), [
		"source begin ",
		"destination prepare begin",
		"source perform prepare",
		"destination finish perform 0",
		"source confirm finish 0",
	]);
	assert.deepEqual(calls[2]?.params, ["destination_xml", "migrate_uri"]);
	assert.ok(calls[3]?.params.includes("destination_name"));
	assert.equal(calls[0]?.flags, MIGRATE.live | MIGRATE.autoConverge | MIGRATE.changeProtection);
	assert.equal(calls[1]?.flags, MIGRATE.live);
});

test("a destination that cannot prepare lets the source end what it began", async () => {
	const { calls, source, destination } = daemons("prepare");
	await assert.rejects(migrateTo(source, new Domain(source, GUEST), destination, [], {}), {
		message: /prepare failed/,
	});
	assert.deepEqual(steps(calls), ["source begin ", "destination prepare begin", "source confirm  1"]);
});

test("a source that cannot send has the destination give the guest up, and is not told again", async () => {
	const { calls, source, destination } = daemons("perform");
	await assert.rejects(migrateTo(source, new Domain(source, GUEST), destination, [], {}), {
		message: /perform failed/,
	});
	assert.deepEqual(steps(calls).slice(2), ["source perform prepare", "destination finish  1"]);
});

test("a guest that does not start at the destination goes on at the source", async () => {
	const { calls, source, destination } = daemons("finish");
	await assert.rejects(migrateTo(source, new Domain(source, GUEST), destination, [], {}), { message: /finish failed/ });
	assert.deepEqual(steps(calls).slice(3), ["destination finish perform 0", "source confirm  1"]);
});

test("nothing is sent of a guest that does not run, and a paused one stays paused", async () => {
	const offline = daemons("", 5);
	await migrateTo(offline.source, new Domain(offline.source, GUEST), offline.destination, [], { offline: true });
	assert.ok(!offline.calls.some(({ step }) => step === "perform"));
	const paused = daemons("", 3);
	await migrateTo(paused.source, new Domain(paused.source, GUEST), paused.destination, [], { live: true });
	assert.equal(paused.calls[1]?.flags, MIGRATE.live | MIGRATE.paused);
});
