// The page of metrics from statistics of the test's own: names, units, labels, and a thousand guests that stall nobody.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { after, test } from "node:test";
import { JobLock } from "@virtkit/base/job-lock";
import type { CallContext, DomainHandle } from "@virtkit/core/domain-operations";
import { DomainEventBus } from "@virtkit/core/events";
import type { Hypervisor } from "@virtkit/core/hypervisor";
import { param, type TypedParam } from "@virtkit/core/typed-params";
import { readExposition } from "@virtkit/testing/exposition";
import { type DaemonFigures, EventLoopDelay } from "./daemon-metrics.ts";
import { DOMAIN_METRICS } from "./domain-metrics.ts";
import { metricsPage } from "./metrics.ts";
import { HttpServer } from "./server.ts";

const delay = new EventLoopDelay();
const servers: { close(): unknown }[] = [];
after(async () => {
	delay[Symbol.dispose]();
	await Promise.all(servers.map((server) => server.close()));
});

const FIGURES: DaemonFigures = {
	version: "1.2.3",
	clients: () => new Map([["unix", 2]]),
	calls: () => [{ program: "remote", procedure: "DOMAIN_GET_INFO", calls: 5, errors: 1 }],
	domains: () => new Map([["running", 1]]),
	process: () => ({ openDescriptors: 20, maxDescriptors: 1024, virtualMemory: 4096, startTime: 1700000000.25 }),
};

type Stats = (domain: DomainHandle) => readonly TypedParam[] | Promise<readonly TypedParam[]>;

const domainNamed = (name: string, index = 0): DomainHandle => ({
	name,
	uuid: `00000000-0000-0000-0000-${String(index).padStart(12, "0")}`,
	id: index + 1,
	stateName: "running",
	lock: new JobLock(),
});

function hypervisorOf(domains: readonly DomainHandle[], stats: Stats): Hypervisor {
	return {
		domains: { all: () => domains } as unknown as Hypervisor["domains"],
		operations: { stats },
		host: {},
		events: new DomainEventBus(() => undefined),
	};
}

const context = (signal = new AbortController().signal): CallContext => ({
	signal,
	readOnly: true,
	caller: "test",
	onClose: () => ({ [Symbol.dispose]: () => undefined }),
});

async function page(hypervisor: Hypervisor): Promise<string> {
	let text = "";
	for await (const piece of metricsPage({ hypervisor, figures: FIGURES, delay }, context())) text += piece;
	return text;
}

/** A statistic for each row of the table. */
const everyStatistic = (): TypedParam[] => [
	param.string("net.0.name", 'vn"et\\0\n'),
	param.string("block.0.name", "vda"),
	...DOMAIN_METRICS.map(({ statistic }) =>
		param.ullong(statistic.replace(/^(vcpu|net|block|iothread)\.\*/, "$1.0").replace("*", "exits"), 1_500_000_001n),
	),
	param.string("block.0.path", "/a"),
	param.ullong("of.no.metric", 1n),
];

test("each statistic of the table becomes a sample in its base unit, below its own head", async () => {
	const families = readExposition(await page(hypervisorOf([domainNamed("web")], everyStatistic)));
	for (const { name, type, unit, labels } of DOMAIN_METRICS) {
		const family = families.get(name);
		assert.equal(family?.type, type, name);
		const [sample, ...others] = family?.samples ?? [];
		assert.deepEqual(others, []);
		assert.deepEqual(Object.keys(sample?.labels ?? {}), labels, name);
		const expected = {
			"as it is": 1_500_000_001,
			"KiB to bytes": 1_500_000_001 * 1024,
			"MiB to bytes": 1_500_000_001 * 1024 ** 2,
			"ns to seconds": 1.500000001,
		};
		assert.equal(sample?.value, expected[unit], name);
	}
});

test("names of metrics are unlike each other and end with their unit", () => {
	assert.equal(new Set(DOMAIN_METRICS.map(({ name }) => name)).size, DOMAIN_METRICS.length);
	for (const { name, unit, help } of DOMAIN_METRICS) {
		if (unit === "ns to seconds") assert.match(name, /_seconds(_total)?$/);
		if (unit.endsWith("bytes")) assert.match(name, /_bytes(_total|_per_second)?$/);
		assert.match(help, /^[A-Z].*\.$/);
	}
});

test("labels are escaped, and read as they were", async () => {
	const families = readExposition(await page(hypervisorOf([domainNamed('a"b\\c\nd')], everyStatistic)));
	const [sample] = families.get("virtkit_domain_interface_receive_bytes_total")?.samples ?? [];
	assert.equal(sample?.labels.domain, 'a"b\\c\nd');
	assert.equal(sample?.labels.interface, 'vn"et\\0\n');
});

test("devices are told apart by their names, vCPUs by their numbers, KVM's counters by theirs", async () => {
	const stats = () => [
		param.string("block.1.name", "sda"),
		param.ullong("block.1.rd.reqs", 4n),
		param.ullong("vcpu.7.time", 2_000_000_000n),
		param.ullong("vcpu.7.exits.sum", 9n),
		param.boolean("vm.nested.cur", true),
		param.ullong("iothread.3.poll-max-ns", 32768n),
	];
	const text = await page(hypervisorOf([domainNamed("web")], stats));
	const lines = text.split("\n").filter((line) => line.startsWith("virtkit_domain_"));
	const own = 'domain="web",uuid="00000000-0000-0000-0000-000000000000"';
	assert.deepEqual(lines, [
		`virtkit_domain_vcpu_seconds_total{${own},vcpu="7"} 2`,
		`virtkit_domain_vcpu_kvm_total{${own},vcpu="7",statistic="exits"} 9`,
		`virtkit_domain_kvm_current{${own},statistic="nested"} 1`,
		`virtkit_domain_block_read_requests_total{${own},device="sda"} 4`,
		`virtkit_domain_iothread_poll_maximum_seconds{${own},iothread="3"} 0.000032768`,
	]);
});

test("a domain that cannot tell is counted and keeps nobody else from being told of", async () => {
	const stats: Stats = ({ name }) =>
		name === "bad" ? Promise.reject(new Error("gone")) : [param.ullong("cpu.time", 1n)];
	const families = readExposition(await page(hypervisorOf([domainNamed("bad"), domainNamed("good", 1)], stats)));
	assert.equal(families.get("virtkit_scrape_missing_domains")?.samples[0]?.value, 1);
	assert.equal(families.get("virtkit_domain_cpu_seconds_total")?.samples[0]?.value, 1e-9);
});

test("a thousand guests are told of between other work: the event loop turns all the while", async () => {
	const domains = Array.from({ length: 1000 }, (_, index) => domainNamed(`guest-${index}`, index));
	const stats: Stats = () =>
		[
			...everyStatistic(),
			...Array.from({ length: 8 }, (_, vcpu) => param.ullong(`vcpu.${vcpu}.delay`, BigInt(vcpu))),
		].filter(({ field }, index, all) => all.findIndex((other) => other.field === field) === index);
	let turns = 0;
	let going = true;
	const count = (): void => {
		turns++;
		if (going) setImmediate(count);
	};
	setImmediate(count);
	const text = await page(hypervisorOf(domains, stats));
	going = false;
	const families = readExposition(text);
	assert.equal(families.get("virtkit_domain_vcpu_delay_seconds_total")?.samples.length, 8000);
	// Gathered in one go it would be a turn or two.
	assert.ok(turns > 10, `${turns} turns of the event loop`);
});

test("a reader that leaves ends the gathering", async () => {
	const gone = new AbortController();
	let asked = 0;
	const stats: Stats = async () => {
		if (++asked === 20) gone.abort();
		return [];
	};
	const domains = Array.from({ length: 1000 }, (_, index) => domainNamed(`guest-${index}`, index));
	const sources = { hypervisor: hypervisorOf(domains, stats), figures: FIGURES, delay };
	for await (const _ of metricsPage(sources, context(gone.signal)));
	assert.ok(asked < 100, `${asked} domains were asked`);
});

interface Served {
	readonly server: HttpServer;
	readonly port: number;
	/** What came for `request` until the connection's end. */
	ask(request: string): Promise<string>;
	open(): Promise<Socket>;
}

async function serve(stats: Stats, options: { limits?: object; domains?: number } = {}): Promise<Served> {
	const domains = Array.from({ length: options.domains ?? 1 }, (_, index) => domainNamed(`guest-${index}`, index));
	const metrics = { hypervisor: hypervisorOf(domains, stats), figures: FIGURES, delay };
	const logger = { debug: () => undefined, warn: () => undefined };
	const server = new HttpServer({ metrics, logger, limits: options.limits ?? {} });
	const listener = createServer((socket) => server.accept(socket)).listen(0, "127.0.0.1");
	await once(listener, "listening");
	const { port } = listener.address() as { port: number };
	servers.push({
		close: async () => {
			listener.close();
			await server.close(0);
		},
	});
	const open = async (): Promise<Socket> => {
		const socket = connect(port, "127.0.0.1");
		await once(socket, "connect");
		return socket;
	};
	const ask = async (request: string): Promise<string> => {
		const socket = await open();
		socket.write(request);
		let text = "";
		for await (const bytes of socket.setEncoding("utf8")) text += bytes as string;
		return text;
	};
	return { server, port, ask, open };
}

/** Settles when the connection is over, in order or not. */
function closing(socket: Socket): Promise<void> {
	const { promise, resolve } = Promise.withResolvers<void>();
	socket
		.on("error", () => undefined)
		.once("close", () => resolve())
		.resume();
	if (socket.closed) resolve();
	return promise;
}

const NOTHING: Stats = () => [];
const get = (path: string, more = ""): string =>
	`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n${more}\r\n`;

test("what is asked for wrongly is refused, each with its status", async () => {
	const { ask } = await serve(NOTHING);
	for (const [request, status] of [
		[get("/metrics"), 200],
		[get("/metrics?name=x"), 200],
		[get("/"), 200],
		[get("/metrics").replace("GET", "HEAD"), 200],
		[get("/nothing"), 404],
		[get("/metrics").replace("GET", "DELETE"), 405],
		[get("/metrics").replace("127.0.0.1", "evil.example"), 421],
		[get("/metrics").replace("127.0.0.1", "[::1]:9177"), 200],
		["nonsense\r\n\r\n", 400],
		[get("/metrics", `X: ${"x".repeat(10_000)}\r\n`), 400],
	] as const) {
		const answer = await ask(request);
		assert.equal(answer.slice(0, 12), `HTTP/1.1 ${status}`, request.slice(0, 60));
	}
});

test("connections beyond the limit are closed, silent ones are not kept", async () => {
	const { open } = await serve(NOTHING, { limits: { maxConnections: 1, askWithin: 1000 } });
	const silent = await open();
	const second = await open();
	await Promise.all([second, silent].map(closing));
});

test("only so many pages are made at once", async () => {
	const { promise, resolve } = Promise.withResolvers<TypedParam[]>();
	let asked = (): void => undefined;
	const first = new Promise<void>((done) => {
		asked = done;
	});
	const { ask } = await serve(
		() => {
			asked();
			return promise;
		},
		{ limits: { maxPages: 1 } },
	);
	const page = ask(get("/metrics"));
	await first;
	assert.match(await ask(get("/metrics")), /^HTTP\/1\.1 503 .*Retry-After: 5/s);
	resolve([]);
	assert.match(await page, /^HTTP\/1\.1 200/);
});

test("a page that is not read waits for its reader, and the server's end is not kept by it", async () => {
	const { server, open } = await serve(everyStatistic, { domains: 3000 });
	const slow = await open();
	slow.pause();
	slow.write(get("/metrics"));
	const { promise: begun, resolve } = Promise.withResolvers<void>();
	slow.once("readable", resolve);
	await begun;
	await server.close(0);
	await closing(slow);
});

test("an answer under way is given before the server ends", async () => {
	const { promise, resolve } = Promise.withResolvers<TypedParam[]>();
	let asked = (): void => undefined;
	const first = new Promise<void>((done) => {
		asked = done;
	});
	const { server, ask } = await serve(() => {
		asked();
		return promise;
	});
	const page = ask(get("/metrics").replace("Connection: close\r\n", ""));
	await first;
	const ended = server.close(60_000);
	resolve([param.ullong("cpu.time", 7n)]);
	assert.match(await page, /cpu_seconds_total\{.*\} 0\.000000007\r?\n/);
	await ended;
});
