// Offline migration: a definition moves to another host; whether its guest runs does not matter, and nothing of it is sent.

import { VirtError } from "@virtkit/base/errors";
import type { CallContext } from "@virtkit/core/domain-operations";
import type { TypedParam } from "@virtkit/core/typed-params";
import { defineDomain, removeStored } from "../config/define-operations.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { checkGuestAbi } from "../save/guest-abi.ts";
import { formatForImage, readDefinition } from "../save/image-definition.ts";
import { uriOut } from "./address.ts";
import { decodeCookie, encodeCookie } from "./cookie.ts";
import { MIGRATE_FLAG, parseMigrationParameters } from "./parameters.ts";
import { checkUnbound } from "./safety.ts";

/** Sources that nobody changes until their migration is confirmed or its client is gone. */
const HELD = new WeakMap<QemuDomain, Disposable>();

/** Throws where the flags ask for what a guest that is not sent cannot have. */
function checkFlags(flags: number): void {
	if (!(flags & MIGRATE_FLAG.persistent))
		throw new VirtError("OPERATION_INVALID", "offline migration must be specified with the persistent flag set");
	if (flags & MIGRATE_FLAG.tunnelled)
		throw new VirtError("OPERATION_INVALID", "tunnelled offline migration does not make sense");
	if (flags & (MIGRATE_FLAG.nonSharedDisks | MIGRATE_FLAG.nonSharedIncremental))
		throw new VirtError("OPERATION_INVALID", "offline migration cannot handle non-shared storage");
}

/** Tells how the domain is defined; with `changeProtection` nobody changes it from here on. */
export async function beginOffline(
	driver: Driver,
	domain: QemuDomain,
	params: readonly TypedParam[],
	flags: number,
	context: CallContext,
): Promise<{ cookie: Uint8Array; xml: string }> {
	checkFlags(flags);
	const { xml } = parseMigrationParameters(params);
	const job = await domain.lock.beginAsync("migration-out", "virDomainMigrateBegin3Params", { signal: context.signal });
	try {
		checkUnbound(driver, domain);
		const { def } = domain.config;
		const sent = xml === undefined ? def : await readDefinition(driver, xml);
		if (sent !== def) checkGuestAbi(def, sent);
		if (flags & MIGRATE_FLAG.changeProtection) hold(domain, job, context);
		else job[Symbol.dispose]();
		return { cookie: encodeCookie(driver, domain), xml: formatForImage(sent) };
	} catch (error) {
		job[Symbol.dispose]();
		throw error;
	}
}

function hold(domain: QemuDomain, job: Disposable, context: CallContext): void {
	const close = context.onClose(() => letGo(domain));
	HELD.set(domain, {
		[Symbol.dispose]: () => {
			close[Symbol.dispose]();
			job[Symbol.dispose]();
		},
	});
}

function letGo(domain: QemuDomain): void {
	const held = HELD.get(domain);
	HELD.delete(domain);
	held?.[Symbol.dispose]();
}

/** The definition is stored over there: it is forgotten here, where that was asked for. */
export async function confirmOffline(
	driver: Driver,
	domain: QemuDomain,
	cancelled: boolean,
	flags: number,
): Promise<void> {
	try {
		if (!cancelled && flags & MIGRATE_FLAG.undefineSource && domain.persistent) await removeStored(driver, domain);
	} finally {
		letGo(domain);
	}
}

/** Definitions on their way here, by name. */
const EXPECTED = new WeakMap<Driver, Map<string, string>>();

function expectedOf(driver: Driver): Map<string, string> {
	const known = EXPECTED.get(driver) ?? new Map<string, string>();
	EXPECTED.set(driver, known);
	return known;
}

/** Checks that the definition can be stored here. */
export async function prepareOffline(
	driver: Driver,
	request: { readonly params: readonly TypedParam[]; readonly cookie: Uint8Array },
	flags: number,
	context: CallContext,
): Promise<{ cookie: Uint8Array; uri: string }> {
	checkFlags(flags);
	const { xml, name, uri } = parseMigrationParameters(request.params);
	if (xml === undefined) throw new VirtError("INVALID_ARG", "no domain XML passed");
	const definition = await readDefinition(driver, xml);
	decodeCookie(driver, request.cookie);
	if (name !== undefined) definition.name = name;
	const known = driver.domains.match({ name: definition.name, uuid: definition.uuid ?? "" });
	if (known?.run)
		throw new VirtError("OPERATION_INVALID", `domain '${known.name}' is already active`, { domain: "DOMAIN" });
	const expected = expectedOf(driver);
	expected.set(definition.name, formatForImage(definition));
	context.onClose(() => expected.delete(definition.name));
	// Nobody will connect there; libvirt's clients insist on being told.
	return { cookie: new Uint8Array(), uri: uriOut(uri, driver.settings.migrationPortMin) };
}

/** Stores the definition, or forgets it where `cancelled`. */
export async function finishOffline(
	driver: Driver,
	request: { readonly params: readonly TypedParam[]; readonly cancelled: boolean },
): Promise<{ domain: QemuDomain; cookie: Uint8Array }> {
	const { name = "" } = parseMigrationParameters(request.params);
	const expected = expectedOf(driver);
	const xml = expected.get(name);
	expected.delete(name);
	if (xml === undefined) throw new VirtError("NO_DOMAIN", `no domain with matching name '${name}'`);
	if (request.cancelled) throw new VirtError("MIGRATE_FINISH_OK", "migration successfully aborted");
	return { domain: await defineDomain(driver, xml, 0), cookie: new Uint8Array() };
}
