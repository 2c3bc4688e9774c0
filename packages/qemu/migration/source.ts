// The source's side of a migration that the client leads: begin, perform, confirm. It lets go of the guest only when told that it arrived.

import type { Duplex } from "node:stream";
import { VirtError } from "@virtkit/base/errors";
import type { CallContext } from "@virtkit/core/domain-operations";
import type { TypedParam } from "@virtkit/core/typed-params";
import type { DiskDef } from "@virtkit/model/domain/disk";
import { virtualSize } from "../block/new-image.ts";
import { forgetStored } from "../config/define-operations.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { saveStatus } from "../lifecycle/status-file.ts";
import { asJob, completedJob, type DomainJob, goOn, keepCompleted } from "../save/domain-job.ts";
import { resumeGuest } from "../save/hold-still.ts";
import { formatAsWanted, formatForImage, readDefinition, textForImage } from "../save/image-definition.ts";
import { migrationParams } from "../save/job-statistics.ts";
import { checkMigratable } from "../save/migrate-to-file.ts";
import { type MigrationAddress, parseMigrationUri } from "./address.ts";
import { decodeCookie, encodeCookie } from "./cookie.ts";
import { copiedDisks } from "./copied-disks.ts";
import { copyRequest } from "./disks-out.ts";
import { leave } from "./leave.ts";
import { MIGRATE_FLAG, type MigrationParameters, parseMigrationParameters } from "./parameters.ts";
import { hasGoneOver, isPostcopy, pausedFor } from "./postcopy.ts";
import { connectedRoute, directRoute, tunnelRoute } from "./route.ts";
import { checkDisksShared, checkUnbound } from "./safety.ts";
import { type SendRequest, sendGuest } from "./send.ts";
import { checkTls } from "./tls.ts";
import { checkTuning, tuningFor } from "./tuning.ts";

/** A migration under way; disposing it lets others at the domain. */
export interface Outgoing extends Disposable {
	readonly run: Run;
	readonly ran: boolean;
	phase: "begun" | "performing" | "performed";
	job?: DomainJob;
	/** The job goes on after it was performed: in post-copy. */
	going?: Disposable;
}

const OUTGOING = new WeakMap<QemuDomain, Outgoing>();

/** The migration of the domain that is under way. */
export const outgoingOf = (domain: QemuDomain): Outgoing | undefined => OUTGOING.get(domain);

/** Takes the domain for a migration. */
export async function beginOutgoing(
	driver: Driver,
	domain: QemuDomain,
	context: CallContext,
	api: string,
): Promise<Outgoing> {
	const job = await domain.lock.beginAsync("migration-out", api, {
		signal: context.signal,
		passes: ["suspend", "migration-op"],
	});
	let close: Disposable | undefined;
	try {
		const run = domain.activeRun();
		const outgoing: Outgoing = {
			run,
			ran: domain.stateName === "running",
			phase: "begun",
			[Symbol.dispose]: () => {
				if (OUTGOING.get(domain) === outgoing) OUTGOING.delete(domain);
				outgoing.going?.[Symbol.dispose]();
				close?.[Symbol.dispose]();
				job[Symbol.dispose]();
			},
		};
		close = context.onClose(() => abandon(driver, domain, outgoing));
		OUTGOING.set(domain, outgoing);
		return outgoing;
	} catch (error) {
		job[Symbol.dispose]();
		throw error;
	}
}

/** The client that led it is gone. A guest that was sent stays still: nobody here knows whether it runs over there. */
function abandon(driver: Driver, { name }: QemuDomain, outgoing: Outgoing): void {
	if (outgoing.phase === "performing") return outgoing.job?.abort();
	if (outgoing.phase === "performed")
		driver.log.warn(
			`'${name}' was sent to another host and its client is gone: it stands still until its migration is confirmed`,
		);
	outgoing[Symbol.dispose]();
}

/** Checks that the guest can go and tells how it is defined; with `changeProtection` nobody changes it from here on. */
export async function migrateBegin(
	driver: Driver,
	domain: QemuDomain,
	params: readonly TypedParam[],
	flags: number,
	context: CallContext,
): Promise<{ cookie: Uint8Array; xml: string }> {
	const parsed = parseMigrationParameters(params);
	checkTuning(flags);
	checkTls(driver.settings, flags);
	const outgoing = await beginOutgoing(driver, domain, context, "virDomainMigrateBegin3Params");
	try {
		checkUnbound(driver, domain);
		await checkMigratable(outgoing.run);
		const { run } = outgoing;
		const copied = copiedDisks(run.live.def, parsed, flags);
		if (copied.length > 0 && flags & MIGRATE_FLAG.tunnelled)
			throw new VirtError(
				"OPERATION_UNSUPPORTED",
				"migration of non-shared storage is not supported with tunnelled migration and this QEMU",
			);
		if (!(flags & MIGRATE_FLAG.unsafe)) checkDisksShared(run.live.def, copied);
		const text = await textForImage(driver, run, parsed.xml);
		const nbd = copied.length > 0 ? { capacities: await capacitiesOf(run, copied) } : undefined;
		if (!(flags & MIGRATE_FLAG.changeProtection)) outgoing[Symbol.dispose]();
		return { cookie: encodeCookie(driver, domain, { nbd }), xml: text };
	} catch (error) {
		outgoing[Symbol.dispose]();
		throw error;
	}
}

export interface PerformRequest {
	readonly params: readonly TypedParam[];
	readonly cookie: Uint8Array;
	/** The stream that the guest is sent through. */
	readonly tunnel?: Duplex | undefined;
}

/** Sends the guest to where the destination listens. It stands still afterwards, until `migrateConfirm`. */
export async function migratePerform(
	driver: Driver,
	domain: QemuDomain,
	request: PerformRequest,
	flags: number,
	context: CallContext,
): Promise<{ cookie: Uint8Array }> {
	const outgoing =
		OUTGOING.get(domain) ?? (await beginOutgoing(driver, domain, context, "virDomainMigratePerform3Params"));
	if (outgoing.phase !== "begun") throw new VirtError("OPERATION_INVALID", "another migration job is already running");
	outgoing.phase = "performing";
	// Whatever is wrong from here on ends what was begun: the client does not confirm what could not be performed.
	try {
		const params = parseMigrationParameters(request.params);
		const { uri, bandwidth = 0n, persistentXml } = params;
		const tuning = tuningFor("source", params, flags);
		const { nbd } = decodeCookie(driver, request.cookie) ?? {};
		const stored =
			flags & MIGRATE_FLAG.persistent ? await definitionToStore(driver, domain, outgoing, persistentXml) : undefined;
		const copied = copiedDisks(outgoing.run.live.def, params, flags);
		const way = request.tunnel
			? { route: tunnelRoute(request.tunnel), tls: undefined }
			: wayTo(uri, params, flags, copied, nbd?.port);
		await asJob(domain, "migration-out", async (job) => {
			outgoing.job = job;
			job.postcopy = (flags & MIGRATE_FLAG.postcopy) !== 0;
			if (context.signal.aborted) job.abort();
			await sendGuest(driver, domain, outgoing.run, job, { ...way, bandwidth, tuning });
		});
		outgoing.phase = "performed";
		if (outgoing.job && hasGoneOver(domain)) outgoing.going = goOn(domain, outgoing.job);
		return {
			cookie: encodeCookie(driver, domain, { persistent: stored, statistics: completedJob(domain, true)?.params }),
		};
	} catch (error) {
		outgoing[Symbol.dispose]();
		throw error;
	}
}

/** Where memory and `disks` go; the destination told `disksPort`. */
function wayTo(
	uri: string | undefined,
	params: MigrationParameters,
	flags: number,
	disks: readonly DiskDef[],
	disksPort: number | undefined,
): Pick<SendRequest, "route" | "tls" | "copies"> {
	if (uri === undefined) throw new VirtError("INVALID_ARG", "migration URI is missing: the destination tells it");
	const address = parseMigrationUri(uri);
	return {
		route: flags & MIGRATE_FLAG.parallel ? directRoute(address) : connectedRoute(address),
		tls: flags & MIGRATE_FLAG.tls ? certificateName(address, params) : undefined,
		copies: disks.length > 0 ? copyRequest(disks, params, flags, address, disksPort) : undefined,
	};
}

async function capacitiesOf(run: Run, disks: readonly DiskDef[]): Promise<Map<string, bigint>> {
	const capacities = new Map<string, bigint>();
	for (const disk of disks) capacities.set(disk.target.dev ?? "", BigInt(await virtualSize(run, disk)));
	return capacities;
}

/** Whom the destination's certificate must be for. Throws OPERATION_UNSUPPORTED where nobody can tell. */
function certificateName(address: MigrationAddress, { tlsDestination }: MigrationParameters): string {
	if (tlsDestination !== undefined) return tlsDestination;
	if (address.scheme === "tcp") return address.host;
	throw new VirtError(
		"OPERATION_UNSUPPORTED",
		"Explicit destination hostname is required for TLS migration over UNIX socket",
	);
}

/** What the destination is to store: what is stored here, which may differ from what runs. */
async function definitionToStore(
	driver: Driver,
	domain: QemuDomain,
	{ run }: Outgoing,
	xml: string | undefined,
): Promise<string> {
	if (xml !== undefined) return formatForImage(await readDefinition(driver, xml));
	return domain.persistent ? formatForImage(domain.config.copy()) : formatAsWanted(run);
}

/** A migration whose client went away, or whose daemon did, after the guest was sent: any client may tell how it ended. */
async function takeUp(domain: QemuDomain): Promise<Outgoing> {
	const job = await domain.lock.beginAsync("migration-out", "virDomainMigrateConfirm3Params");
	const { run, state } = domain;
	if (run?.moving === "sent")
		return {
			run,
			ran: state.state === "paused" && state.reason === "migration",
			phase: "performed",
			[Symbol.dispose]: () => job[Symbol.dispose](),
		};
	job[Symbol.dispose]();
	throw new VirtError("OPERATION_INVALID", "domain is not being migrated");
}

/** The guest runs over there: it ends here. Or it does not: it goes on here. */
export async function migrateConfirm(
	driver: Driver,
	domain: QemuDomain,
	cancelled: boolean,
	flags: number,
): Promise<void> {
	using migration = OUTGOING.get(domain) ?? (await takeUp(domain));
	const { run, ran, phase } = migration;
	if (phase === "performing") throw new VirtError("OPERATION_INVALID", "migration is still in progress");
	const over = hasGoneOver(domain) && !(await isPostcopy(run.monitor));
	if (hasGoneOver(domain) && !over && cancelled) return pausedFor(driver, domain, "postcopy-failed");
	if ((cancelled && !over) || phase === "begun") {
		run.moving = undefined;
		if (ran && phase === "performed") await resumeGuest(driver, domain, run, "migration-canceled");
		saveStatus(driver, domain);
		return;
	}
	if (over && migration.job) await tellCompleted(driver, domain, run, migration.job);
	const forgets = flags & MIGRATE_FLAG.undefineSource && domain.persistent;
	await leave(driver, domain, run, forgets ? () => forgetStored(driver, domain) : undefined);
}

/** What a post-copy came to is known only at its end. */
async function tellCompleted(driver: Driver, domain: QemuDomain, run: Run, job: DomainJob): Promise<void> {
	const params = migrationParams(job, await run.monitor.execute("query-migrate"));
	keepCompleted(domain, params);
	driver.emit("job-completed", domain.ref, { params });
}
