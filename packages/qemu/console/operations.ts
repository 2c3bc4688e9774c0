// Consoles and channels of running guests as streams for clients.

import type { DomainOperations } from "@virtkit/core/domain-operations";
import type { QemuDomain } from "../domain/domain.ts";
import { findChannel, findConsole } from "./find-chardev.ts";
import { openExclusively } from "./open-streams.ts";

/** virDomainConsoleFlags. `safe` asks for what holds here at any time: nobody else has the console through this daemon. */
const CONSOLE_FLAG = { force: 1, safe: 2 } as const;
/** virDomainChannelFlags. */
const CHANNEL_FLAG = { force: 1 } as const;

export const consoleOperations: Pick<DomainOperations<QemuDomain>, "openConsole" | "openChannel"> = {
	openConsole: async (domain, device, flags) => {
		const run = domain.activeRun();
		return openExclusively(run, {
			path: findConsole(run.live.def, device),
			kind: "pty",
			force: (flags & CONSOLE_FLAG.force) !== 0,
			busy: "Active console session exists for this domain",
		});
	},
	openChannel: async (domain, name, flags) => {
		const run = domain.activeRun();
		return openExclusively(run, {
			path: findChannel(run.live.def, name),
			kind: "unix",
			force: (flags & CHANNEL_FLAG.force) !== 0,
			busy: "Active channel stream exists for this domain",
		});
	},
};
