// Names that completion asks the daemon for.

import type { Domain } from "@virtkit/client/sdk/domain";
import type { CliContext } from "../context.ts";
import type { Completes } from "../grammar/command.ts";
import type { NameSource } from "../grammar/complete.ts";

type Kind = Exclude<Completes, readonly string[]>;
/** Finds names of one kind in the domain that the command line names. */
type DomainNames = (domain: Domain) => Promise<readonly (string | undefined)[]>;

async function fromDevices(
	domain: Domain,
	kind: string,
	part: string,
	attribute: string,
): Promise<(string | undefined)[]> {
	const [{ definitionOf, devicesOf }, { childNamed }] = await Promise.all([
		import("../commands/device-list.ts"),
		import("@virtkit/xml/node"),
	]);
	return devicesOf(await definitionOf(domain), kind).map((device) => childNamed(device, part)?.attributes[attribute]);
}

const DOMAIN_NAMES: { readonly [K in Kind]?: DomainNames } = {
	disk: (domain) => fromDevices(domain, "disk", "target", "dev"),
	mac: (domain) => fromDevices(domain, "interface", "mac", "address"),
	interface: async (domain) => {
		const taps = await fromDevices(domain, "interface", "target", "dev");
		return taps.some((tap) => tap !== undefined) ? taps : fromDevices(domain, "interface", "mac", "address");
	},
	"device-alias": async (domain) =>
		[...(await domain.xml()).matchAll(/<alias name='([^']*)'/g)].map(([, alias]) => alias),
	iothread: async (domain) =>
		(await domain.call("DOMAIN_GET_IOTHREAD_INFO", { flags: 0 })).info.map(({ iothreadId }) => String(iothreadId)),
	snapshot: async (domain) =>
		(await domain.call("DOMAIN_LIST_ALL_SNAPSHOTS", { needResults: 1, flags: 0 })).snapshots.map(({ name }) => name),
	checkpoint: async (domain) =>
		(await domain.call("DOMAIN_LIST_ALL_CHECKPOINTS", { needResults: 1, flags: 0 })).checkpoints.map(
			({ name }) => name,
		),
};

/** Finds names over the context's connection; a daemon that does not answer has none. */
export function nameSource(context: CliContext): NameSource {
	return async (kind, words) => {
		if (kind === "event") {
			const { eventNames } = await import("../commands/events.ts");
			return eventNames();
		}
		try {
			const { domains } = await context.connection;
			if (kind === "domain" || kind === "active-domain" || kind === "inactive-domain") {
				const filter = { active: kind !== "inactive-domain", inactive: kind !== "active-domain" };
				return (await domains.list(filter)).map(({ name }) => name);
			}
			const names = DOMAIN_NAMES[kind];
			const named = words.domain === undefined ? undefined : await context.domain(words.domain);
			return named && names ? (await names(named)).filter((one) => one !== undefined) : [];
		} catch {
			return [];
		}
	};
}
