// Names that completion asks the daemon for.

import { ALL_EVENT_KINDS } from "@virtkit/client/sdk/events";
import { printedKind } from "../commands/events.ts";
import type { CliContext } from "../context.ts";
import type { NameSource } from "../grammar/complete.ts";

/** Finds names over the context's connection; a daemon that does not answer has none. */
export function nameSource(context: CliContext): NameSource {
	return async (kind) => {
		if (kind === "event") return ALL_EVENT_KINDS.map(printedKind);
		if (kind !== "domain" && kind !== "active-domain" && kind !== "inactive-domain") return [];
		try {
			const { domains } = await context.connection;
			const filter = { active: kind !== "inactive-domain", inactive: kind !== "active-domain" };
			return (await domains.list(filter)).map(({ name }) => name);
		} catch {
			return [];
		}
	};
}
