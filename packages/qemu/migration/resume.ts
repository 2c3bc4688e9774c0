// Goes on with a post-copy that lost its connection: both sides have the guest's memory in parts, and nothing is begun anew.

import { VirtError } from "@virtkit/base/errors";
import type { CallContext } from "@virtkit/core/domain-operations";
import type { TypedParam } from "@virtkit/core/typed-params";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { asJob, goOn } from "../save/domain-job.ts";
import { readDefinition, textForImage } from "../save/image-definition.ts";
import { parseMigrationUri } from "./address.ts";
import { decodeCookie, encodeCookie } from "./cookie.ts";
import { listenForGuest } from "./listen.ts";
import { MIGRATE_FLAG, parseMigrationParameters } from "./parameters.ts";
import { arrived, GONE_OVER, hasGoneOver, postcopyFailed, untilComplete } from "./postcopy.ts";
import { connectedRoute } from "./route.ts";
import { beginOutgoing, migrateConfirm, outgoingOf } from "./source.ts";

/** How long QEMU may take to go on; it tells nothing where it cannot. */
const CONNECT_MS = 30_000;

function checkFlags(flags: number): void {
	if (!(flags & MIGRATE_FLAG.postcopy))
		throw new VirtError("ARGUMENT_UNSUPPORTED", "resuming failed post-copy migration requires post-copy to be enabled");
}

/** Throws OPERATION_INVALID where the guest's QEMU does not wait for its migration to go on. */
async function checkFailed({ name, run }: QemuDomain, over: boolean): Promise<void> {
	if (!over || !run) throw new VirtError("OPERATION_INVALID", `migration of domain ${name} is not in post-copy phase`);
	const { status } = await run.monitor.execute("query-migrate");
	if (status !== "postcopy-paused") throw new VirtError("OPERATION_INVALID", "QEMU reports migration is still running");
}

async function begin(
	driver: Driver,
	domain: QemuDomain,
	params: readonly TypedParam[],
	flags: number,
	context: CallContext,
): Promise<{ cookie: Uint8Array; xml: string }> {
	checkFlags(flags);
	const { xml } = parseMigrationParameters(params);
	const outgoing = await beginOutgoing(driver, domain, context, "virDomainMigrateBegin3Params");
	try {
		await checkFailed(domain, hasGoneOver(domain));
		// There is no way back from here: a client that goes away leaves the guest standing still.
		outgoing.phase = "performed";
		return { cookie: encodeCookie(driver, domain), xml: await textForImage(driver, outgoing.run, xml) };
	} catch (error) {
		outgoing[Symbol.dispose]();
		throw error;
	}
}

async function perform(
	driver: Driver,
	domain: QemuDomain,
	request: { readonly params: readonly TypedParam[]; readonly cookie: Uint8Array },
): Promise<{ cookie: Uint8Array }> {
	const { uri = "" } = parseMigrationParameters(request.params);
	decodeCookie(driver, request.cookie);
	const outgoing = outgoingOf(domain);
	if (outgoing === undefined || !hasGoneOver(domain))
		throw new VirtError("OPERATION_INVALID", `migration of domain ${domain.name} is not in post-copy phase`);
	const route = connectedRoute(parseMigrationUri(uri));
	await asJob(domain, "migration-out", async (job) => {
		const { monitor } = outgoing.run;
		const change = monitor.waitForEvent("MIGRATION", ({ data: { status } }) => status !== "postcopy-recover", {
			deadlineMs: CONNECT_MS,
		});
		change.catch(() => undefined);
		await monitor.execute("migrate", { uri: await route(monitor, job.aborted), resume: true });
		const { status } = (await change).data;
		if (status !== "postcopy-active" && status !== "completed") throw postcopyFailed("migration out");
		outgoing.job = job;
	});
	if (outgoing.job) outgoing.going = goOn(domain, outgoing.job);
	return { cookie: encodeCookie(driver, domain) };
}

/** Guests whose memory goes on to come, with what is held for that. */
const RESUMING = new WeakMap<QemuDomain, DisposableStack>();

async function prepare(
	driver: Driver,
	request: { readonly params: readonly TypedParam[]; readonly cookie: Uint8Array },
	flags: number,
	context: CallContext,
): Promise<{ cookie: Uint8Array; uri: string | undefined }> {
	checkFlags(flags);
	const params = parseMigrationParameters(request.params);
	if (params.xml === undefined) throw new VirtError("INVALID_ARG", "no domain XML passed");
	const { uuid = "", name: sourceName } = await readDefinition(driver, params.xml);
	decodeCookie(driver, request.cookie);
	const name = params.name ?? sourceName;
	const domain = driver.domains.match({ name, uuid });
	if (domain === undefined) throw new VirtError("NO_DOMAIN", `no domain with matching name '${name}'`);
	using held = new DisposableStack();
	held.use(await domain.lock.beginAsync("migration-in", "virDomainMigratePrepare3Params", { signal: context.signal }));
	await checkFailed(domain, domain.run?.moving === "postcopy");
	const { monitor } = domain.activeRun();
	const { uri } = held.use(await listenForGuest(monitor, params, driver.settings, undefined, "migrate-recover"));
	held.use(context.onClose(() => letGo(domain)));
	RESUMING.set(domain, held.move());
	return { cookie: encodeCookie(driver, domain, { name: sourceName }), uri };
}

function letGo(domain: QemuDomain): void {
	const held = RESUMING.get(domain);
	RESUMING.delete(domain);
	held?.dispose();
}

async function finish(
	driver: Driver,
	request: { readonly params: readonly TypedParam[]; readonly cookie: Uint8Array; readonly cancelled: boolean },
): Promise<{ domain: QemuDomain; cookie: Uint8Array }> {
	const { name = "" } = parseMigrationParameters(request.params);
	const domain = driver.domains.byName(name);
	if (domain === undefined || !RESUMING.has(domain))
		throw new VirtError("NO_DOMAIN", `domain '${name}' is not processing incoming migration`);
	try {
		const run = domain.activeRun();
		const { status = "none" } = await run.monitor.execute("query-migrate");
		if (request.cancelled && !GONE_OVER.has(status)) throw postcopyFailed("migration in");
		await untilComplete(run, "migration in");
		arrived(driver, domain, run);
		return { domain, cookie: encodeCookie(driver, domain) };
	} finally {
		letGo(domain);
	}
}

/** The steps of a migration that goes on. */
export const RESUME = { begin, perform, confirm: migrateConfirm, prepare, finish };
