// The destination's side of a migration: prepare starts a QEMU that waits for the guest, finish lets it run or ends it.

import type { Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { toVirtError, VirtError } from "@virtkit/base/errors";
import { UndoStack } from "@virtkit/base/undo-stack";
import type { CallContext } from "@virtkit/core/domain-operations";
import type { DomainRef } from "@virtkit/core/domain-ref";
import type { TypedParam } from "@virtkit/core/typed-params";
import { waitForExit } from "@virtkit/host/process";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { defineDomain, removeStored, restoreStored } from "../config/define-operations.ts";
import type { Definition } from "../domain/definition.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { destroyRun } from "../lifecycle/autodestroy.ts";
import { startRun } from "../lifecycle/start.ts";
import { saveStatusNow } from "../lifecycle/status-file.ts";
import { keepCompleted } from "../save/domain-job.ts";
import { formatAsWanted, formatForImage, readDefinition } from "../save/image-definition.ts";
import { type Cookie, decodeCookie, encodeCookie } from "./cookie.ts";
import { copiedDisks } from "./copied-disks.ts";
import { type DisksRequest, makeImages, serveDisks } from "./disks-in.ts";
import { type Listening, listenForGuest } from "./listen.ts";
import { MIGRATE_FLAG, type MigrationParameters, parseMigrationParameters } from "./parameters.ts";
import { arrived, untilComplete } from "./postcopy.ts";
import { checkTls, giveCertificates, type MigrationTls } from "./tls.ts";
import { type Tuning, tune, tuningFor } from "./tuning.ts";

/** QEMU has the whole guest, or all that it needs to run, or cannot have it. */
const ENDS: ReadonlySet<string> = new Set(["completed", "postcopy-active", "failed"]);

/** How QEMU is to take the guest. */
interface Reception {
	listen(run: Run): Promise<Listening>;
	readonly tuning: Tuning;
	/** Certificates, where all is encrypted. */
	tls(run: Run): Promise<MigrationTls | undefined>;
	readonly disks: DisksRequest | undefined;
}

/**
 * A guest that is expected. All of it is one start that is not over: whatever goes wrong until `finish` undoes it, and a daemon
 * that dies meanwhile finds a guest half started, which its successor ends.
 */
class Incoming {
	/** QEMU listens. */
	readonly listening = Promise.withResolvers<Listening>();
	/** QEMU has the whole guest. */
	readonly arrived = Promise.withResolvers<void>();
	/** The guest may run; rejected where it must not. */
	readonly decision = Promise.withResolvers<void>();
	/** The start's own end. */
	started: Promise<Run> = Promise.reject(new Error("not begun"));
	/** In post-copy, once the guest has gone over: the rest of its memory. Rejected where that is lost. */
	rest: Promise<void> | undefined;
	/** Where its NBD server takes disks. */
	disksPort: number | undefined;
	/** Who was told to be starting. */
	announced: DomainRef | undefined;
	/** The name of the domain on the source, which cookies go by. */
	readonly sourceName: string;

	constructor(sourceName: string) {
		this.sourceName = sourceName;
		for (const { promise } of [this.listening, this.arrived, this.decision]) promise.catch(() => undefined);
		this.started.catch(() => undefined);
	}

	/** Ends the wait in every phase but the last. A guest that has gone over in post-copy can go on nowhere but here. */
	cancel(error: VirtError): void {
		if (this.rest) return this.decision.resolve();
		this.arrived.reject(error);
		this.decision.reject(error);
	}

	async load(domain: QemuDomain, run: Run, { listen, tuning, tls, disks }: Reception): Promise<void> {
		const { monitor } = run;
		await using undo = new AsyncDisposableStack();
		const certificates = undo.use(await tls(run));
		undo.use(await tune(monitor, { ...tuning, values: { ...tuning.values, ...certificates?.values } }));
		const ended = monitor.waitForEvent("MIGRATION", ({ data: { status } }) => ENDS.has(status));
		ended.catch(() => undefined);
		using listening = await listen(run);
		using server = disks && (await serveDisks(run, disks, certificates?.values["tls-creds"]));
		this.disksPort = server?.port;
		this.listening.resolve(listening);
		const { data } = (await Promise.race([ended, this.decision.promise.then(() => ended)])) ?? {};
		// QEMU ends itself where it cannot take the guest: its last words are why.
		if (data.status === "failed" && run.process) await waitForExit(run.process, 2000);
		if (data.status === "failed") throw monitor.loss ?? new VirtError("OPERATION_FAILED", "incoming migration failed");
		if (data.status === "postcopy-active") {
			await this.#goOver(domain, run, undo.move());
		}
		this.arrived.resolve();
		const lost = run.ended.then(() => Promise.reject(new VirtError("OPERATION_FAILED", "guest unexpectedly quit")));
		await Promise.race([this.decision.promise, lost]);
		// QEMU lets the guest have its disks only once nobody else writes to them.
		await server?.stop();
	}

	/** The source cannot go on any more: whoever takes over from this daemon is to know before the guest runs. */
	async #goOver(domain: QemuDomain, run: Run, tuned: AsyncDisposable): Promise<void> {
		run.moving = "postcopy";
		this.rest = untilComplete(run, "migration in").finally(() => tuned[Symbol.asyncDispose]());
		this.rest.catch(() => undefined);
		await saveStatusNow(domain, run);
	}
}

/** Turns of the event loop in which the end of a connection is read, answered and told. */
const TURNS_TO_HEAR = 5;

const INCOMING = new WeakMap<QemuDomain, Incoming>();

export interface PrepareRequest {
	readonly params: readonly TypedParam[];
	readonly cookie: Uint8Array;
	/** The stream that the guest comes through. */
	readonly tunnel?: Duplex | undefined;
}

/** Throws INTERNAL_ERROR where the guest is to come another way than the call is for. */
function checkTunnel(tunnel: Duplex | undefined, flags: number): void {
	const asked = (flags & MIGRATE_FLAG.tunnelled) !== 0;
	if (asked && !tunnel)
		throw new VirtError("INTERNAL_ERROR", "Tunnelled migration requested but invalid RPC method called");
	if (!asked && tunnel) throw new VirtError("INTERNAL_ERROR", "PrepareTunnel called but no TUNNELLED flag set");
}

/** Starts a QEMU that waits for the guest, and tells where it listens. */
export async function migratePrepare(
	driver: Driver,
	request: PrepareRequest,
	flags: number,
	context: CallContext,
): Promise<{ cookie: Uint8Array; uri: string | undefined }> {
	checkTunnel(request.tunnel, flags);
	checkTls(driver.settings, flags);
	const params = parseMigrationParameters(request.params);
	if (params.xml === undefined) throw new VirtError("INVALID_ARG", "no domain XML passed");
	const definition = await readDefinition(driver, params.xml);
	const cookie = checkCookie(driver, request.cookie, definition);
	const tuning = tuningFor("destination", params, flags);
	const incoming = new Incoming(definition.name);
	if (params.name !== undefined) definition.name = params.name;
	const identity = { name: definition.name, uuid: definition.uuid ?? "" };
	const known = driver.domains.match(identity);
	if (known?.run)
		throw new VirtError("OPERATION_INVALID", `domain '${known.name}' is already active`, { domain: "DOMAIN" });
	const domain = known ?? driver.domains.add(identity);
	const receiving = receive(driver, domain, incoming, {
		definition,
		params,
		tunnel: request.tunnel,
		tuning,
		flags,
		context,
		cookie,
	});
	failuresOf(driver).delete(domain.name);
	const { name } = domain;
	context.onClose(() => failuresOf(driver).delete(name));
	receiving.catch((error) => {
		if (incoming.announced && !domain.run) driver.lifecycle(incoming.announced, { event: "stopped", detail: "failed" });
		failuresOf(driver).set(name, toVirtError(error));
		incoming.listening.reject(error);
		incoming.cancel(toVirtError(error));
	});
	const { uri } = await incoming.listening.promise;
	incoming.announced = domain.ref;
	driver.lifecycle(domain.ref, { event: "started", detail: "migrated" });
	const nbd = cookie?.nbd && { port: incoming.disksPort, capacities: new Map<string, bigint>() };
	return { cookie: encodeCookie(driver, domain, { name: incoming.sourceName, nbd }), uri };
}

/** Why guests that were expected did not come, by name, until the client asks: what the source saw is only a broken connection. */
const FAILURES = new WeakMap<Driver, Map<string, VirtError>>();

function failuresOf(driver: Driver): Map<string, VirtError> {
	const known = FAILURES.get(driver) ?? new Map<string, VirtError>();
	FAILURES.set(driver, known);
	return known;
}

function checkCookie(driver: Driver, bytes: Uint8Array, { name, uuid }: DomainDef): Cookie | undefined {
	const cookie = decodeCookie(driver, bytes);
	if (cookie === undefined) return undefined;
	const expect = (what: string, found: string, expected = "") => {
		if (found !== expected)
			throw new VirtError("INTERNAL_ERROR", `Incoming cookie data had unexpected ${what} ${found} vs ${expected}`);
	};
	expect("name", cookie.name, name);
	expect("UUID", cookie.uuid, uuid);
	return cookie;
}

interface Expected {
	readonly definition: DomainDef;
	readonly params: MigrationParameters;
	readonly tunnel: Duplex | undefined;
	readonly tuning: Tuning;
	readonly flags: number;
	readonly context: CallContext;
	readonly cookie: Cookie | undefined;
}

/** The start, from its first step until the guest runs or is given up. */
async function receive(
	driver: Driver,
	domain: QemuDomain,
	incoming: Incoming,
	{ definition, params, tunnel, tuning, flags, context, cookie }: Expected,
): Promise<void> {
	await using undo = new UndoStack();
	try {
		using _job = await domain.lock.beginAsync("migration-in", "virDomainMigratePrepare3Params", {
			signal: context.signal,
		});
		if (domain.run) throw new VirtError("OPERATION_INVALID", `domain '${domain.name}' is already active`);
		const { settings } = driver;
		const tls =
			flags & MIGRATE_FLAG.tls
				? ({ monitor }: Run) => giveCertificates(monitor, settings, "server", "")
				: () => Promise.resolve(undefined);
		using _close = context.onClose(() => incoming.cancel(new VirtError("OPERATION_ABORTED", "the client is gone")));
		INCOMING.set(domain, incoming);
		const copied = copiedDisks(definition, params, flags);
		await makeImages(copied, cookie?.nbd?.capacities ?? new Map(), flags, undo);
		const disks = copied.length > 0 ? { params, flags, settings } : undefined;
		const listen = ({ monitor }: Run) => listenForGuest(monitor, params, settings, tunnel);
		incoming.started = startRun(driver, domain, {
			definition,
			paused: flags & MIGRATE_FLAG.paused ? "user" : undefined,
			get runningReason() {
				return incoming.rest ? "postcopy" : "migrated";
			},
			incoming: {
				extend: (command) => command.add("-incoming", "defer"),
				arriving: true,
				load: (run) => incoming.load(domain, run, { listen, tuning, tls, disks }),
			},
		});
		await incoming.started;
		undo.commit();
		await incoming.rest?.catch(() => undefined);
	} finally {
		if (INCOMING.get(domain) === incoming) INCOMING.delete(domain);
		if (!domain.persistent && domain.run === undefined) driver.domains.remove(domain);
	}
}

/** The guest that has arrived runs from here on; with `cancelled`, or where it has not arrived, nothing of it is left. */
export async function migrateFinish(
	driver: Driver,
	request: { readonly params: readonly TypedParam[]; readonly cookie: Uint8Array; readonly cancelled: boolean },
	flags: number,
	context: CallContext,
): Promise<{ domain: QemuDomain; cookie: Uint8Array }> {
	const { name = "" } = parseMigrationParameters(request.params);
	const domain = driver.domains.byName(name);
	const failure = failuresOf(driver).get(name);
	failuresOf(driver).delete(name);
	if (failure && (domain === undefined || !INCOMING.has(domain))) throw failure;
	if (domain === undefined) throw new VirtError("NO_DOMAIN", `no domain with matching name '${name}'`);
	const incoming = INCOMING.get(domain);
	if (incoming === undefined) throw new VirtError("NO_DOMAIN", `domain '${name}' is not processing incoming migration`);
	if (request.cancelled) {
		incoming.cancel(new VirtError("MIGRATE_FINISH_OK", "migration successfully aborted"));
		await incoming.started;
	}
	await incoming.arrived.promise;
	await using undo = new UndoStack();
	await letRun(driver, domain, incoming, flags & MIGRATE_FLAG.persistent ? request.cookie : undefined, undo);
	const { statistics } = decodeCookie(driver, request.cookie) ?? {};
	if (statistics) keepCompleted(domain, statistics);
	if (incoming.rest === undefined) await settleOnceAnswered(driver, domain, context.signal);
	undo.commit();
	if (flags & MIGRATE_FLAG.paused) driver.lifecycle(domain.ref, { event: "suspended", detail: "paused" });
	await incoming.rest;
	if (incoming.rest && domain.run) arrived(driver, domain, domain.run);
	return { domain, cookie: encodeCookie(driver, domain, { name: incoming.sourceName }) };
}

/**
 * The guest counts as this host's once the client has been told: until then a daemon that takes over ends it, since the client,
 * who heard nothing, has it go on at the source. One that takes over while the answer is on its way cannot know, and has it
 * stand still. The answer is written within the turn in which this is done. Where it cannot be given, the guest ends here.
 */
async function settleOnceAnswered(driver: Driver, domain: QemuDomain, signal: AbortSignal): Promise<void> {
	const { run } = domain;
	if (run === undefined) return;
	try {
		signal.throwIfAborted();
		run.moving = "answering";
		await saveStatusNow(domain, run);
		// That the caller hung up may lie behind its call in the socket: a few turns, and it has been read.
		for (let turn = 0; turn < TURNS_TO_HEAR; turn++) await nextTurn();
		signal.throwIfAborted();
	} catch (error) {
		driver.log.warn(`ending '${domain.name}', of whose arrival nobody could be told`, { error });
		await destroyRun(driver, domain, run);
		throw error;
	}
	setImmediate(() => {
		run.moving = undefined;
		if (domain.run !== run || run.phase !== "up") return;
		saveStatusNow(domain, run).catch((error) =>
			driver.log.error(`cannot save the status of '${domain.name}'`, { error }),
		);
	});
}

/** What the source has stored, under the name that the guest has here; as it runs, from a source that says nothing of that. */
async function definitionToStore(driver: Driver, domain: QemuDomain, bytes: Uint8Array): Promise<string | undefined> {
	const text = decodeCookie(driver, bytes)?.persistent;
	if (text === undefined) return domain.run && formatAsWanted(domain.run);
	const definition = await readDefinition(driver, text);
	Object.assign(definition, { name: domain.name, uuid: domain.uuid });
	return formatForImage(definition);
}

/**
 * Stores the definition where asked for, before the guest runs: where that fails it goes on at the source. What is stored
 * here until now is put back by `undo`.
 */
async function letRun(
	driver: Driver,
	domain: QemuDomain,
	incoming: Incoming,
	cookie: Uint8Array | undefined,
	undo: UndoStack,
): Promise<void> {
	try {
		const stored = cookie && (await definitionToStore(driver, domain, cookie));
		if (stored !== undefined) {
			const before = domain.persistent ? domain.config : undefined;
			undo.defer("what is stored", () => putBack(driver, domain, before));
			// For libvirt a guest that has arrived was not known before.
			await defineDomain(driver, stored, 0, before ? "updated" : "added");
		}
		incoming.decision.resolve();
		// A post-copy that is lost meanwhile is told at once, whatever QEMU waits for.
		await Promise.race([incoming.started, ...(incoming.rest ? [incoming.rest.then(() => incoming.started)] : [])]);
	} catch (error) {
		incoming.cancel(toVirtError(error));
		if (incoming.rest === undefined) await incoming.started.catch(() => undefined);
		throw error;
	}
}

/** Has stored what was stored before the guest came. */
async function putBack(driver: Driver, domain: QemuDomain, before: Definition | undefined): Promise<void> {
	if (before) await restoreStored(driver, domain, before);
	else if (domain.persistent) await removeStored(driver, domain);
}
