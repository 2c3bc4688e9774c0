// Renders docs/support.md: which of libvirt's procedures the daemon answers, from the handlers themselves.

import type { Hypervisor } from "@virtkit/core/hypervisor";
import { allProcedures } from "@virtkit/protocol/lookup";
import { allHandlers } from "@virtkit/rpc-server/handlers/all";

/** Handlers are made without a driver: only their names are asked for. */
const NO_DRIVER = {} as Hypervisor;

/** Areas by the beginning of a procedure's name, the more particular first, with what they wait for where they are not begun. */
const AREAS: readonly (readonly [prefix: RegExp, title: string, later?: string])[] = [
	[/^AUTH_/, "Authentication", "SASL and TLS come later; UNIX sockets go by the file's owner"],
	[/^CONNECT_(LIST|NUM_OF)_.*NETWORK|^NETWORK_|_EVENT_NETWORK|NETWORK_EVENT/, "Virtual networks", "the network driver"],
	[/STORAGE_POOL|STORAGE_VOL/, "Storage pools and volumes", "the storage driver"],
	[/NODE_DEVICE/, "Host devices", "the node device driver"],
	[/NWFILTER/, "Network filters", "the network driver"],
	[/SECRET/, "Secrets", "the secret driver"],
	[
		/INTERFACE_(?!STATS|PARAMETERS|ADDRESSES)|_INTERFACES$|DEFINED_INTERFACES/,
		"Host interfaces",
		"the interface driver",
	],
	[/SNAPSHOT/, "Snapshots", "block jobs and snapshots"],
	[/CHECKPOINT|BACKUP/, "Checkpoints and backups", "block jobs and snapshots"],
	[/MIGRATE|MIGRATION/, "Migration", "live migration"],
	[/BLOCK_(JOB|PULL|REBASE|COMMIT|COPY|RESIZE|THRESHOLD)|THROTTLE/, "Block jobs", "block jobs and snapshots"],
	[/^NODE_/, "The host"],
	[/^CONNECT_(?!DOMAIN|LIST|NUM)/, "The connection"],
	[/EVENT/, "Events"],
	[/^(DOMAIN|CONNECT)_/, "Domains", "hot swap, tuning and the guest agent's further commands"],
	[/./, "Other"],
];

interface Area {
	readonly title: string;
	readonly later: string | undefined;
	readonly handled: string[];
	readonly missing: string[];
}

function collect(): Map<string, Area> {
	const handlers = allHandlers(NO_DRIVER);
	const areas = new Map<string, Area>();
	for (const { program, name, procedure } of allProcedures()) {
		if (procedure.kind !== "call" || (program !== "remote" && program !== "qemu")) continue;
		const [, title, later] = AREAS.find(([prefix]) => prefix.test(name)) ?? [/./, "Other"];
		const area = areas.get(title) ?? { title, later, handled: [], missing: [] };
		areas.set(title, area);
		const own: Readonly<Record<string, unknown>> = handlers[program] ?? {};
		(Object.hasOwn(own, name) ? area.handled : area.missing).push(name);
	}
	return areas;
}

const code = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(" ");

/** The page. */
export function render(): string {
	const areas = [...collect().values()];
	const count = (key: "handled" | "missing"): number => areas.reduce((sum, area) => sum + area[key].length, 0);
	const rows = areas.map(({ title, later, handled, missing }) => {
		const reason = missing.length === 0 ? "" : (later ?? "not begun");
		return `| ${title} | ${handled.length} | ${missing.length} | ${reason} |`;
	});
	const details = areas.map(({ title, handled, missing }) => {
		const parts = [`## ${title}`];
		if (handled.length > 0) parts.push(`Answered: ${code(handled)}`);
		if (missing.length > 0) parts.push(`Not yet, answered with libvirt's "not supported" error: ${code(missing)}`);
		return parts.join("\n\n");
	});
	return `# Procedures

Of the calls of libvirt's remote and QEMU programs, ${count("handled")} are answered and ${count("missing")} are not yet: those answer
libvirt's "this function is not supported by the connection driver". The page is made from the handlers;
\`./virtkit check --fix\` makes it anew.

| Area | Answered | Not yet | Waits for |
| --- | --- | --- | --- |
${rows.join("\n")}

${details.join("\n\n")}
`;
}
