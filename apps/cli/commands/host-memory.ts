// `virtkit host memory`: what the host has, what its guests are promised, have and use, and what virtkit's policies decided.

import { formatKib } from "@virtkit/core/policy/admission";
import { CommandError } from "../context.ts";
import { flag, namedNumber, needed } from "../grammar/command.ts";
import { type CliCommand, declare } from "./declare.ts";

const DECISIONS = 1000;
const FOLLOW_MS = 1000;

const size = (kib: bigint): string => formatKib(Number(kib));

const host = declare({
	name: "host",
	summary: "show how the host's memory is shared out",
	description:
		"Shows what memory the host has, how much of it running guests are promised, have, and use, guest by guest. With --decisions what the policies decided lately and why: starts that were refused, and balloons that the balancer moved.",
	options: {
		subject: needed("what to show: memory", { completes: ["memory"] }),
		decisions: flag("the policies' decisions in place of the figures"),
		follow: flag("with --decisions: go on with those to come"),
		last: namedNumber("with --decisions: the last so many only"),
	},
	async run(context, args) {
		if (args.subject !== "memory") throw new CommandError(`'${args.subject}' cannot be shown, only memory`);
		const { host: about } = await context.connection;
		if (!args.decisions) {
			const report = await about.memoryReport();
			if (context.options.json) return context.print(toJson(report));
			context.facts(hostFacts(report.host), 14);
			if (report.guests.length === 0) return;
			context.print("");
			return context.table(COLUMNS, report.guests.map(guestRow));
		}
		let seen = 0n;
		for (;;) {
			const { decisions } = await about.memoryReport(args.last ?? DECISIONS);
			for (const decision of decisions) if (decision.number > seen) context.print(decisionLine(decision));
			seen = decisions.at(-1)?.number ?? seen;
			if (!args.follow) return;
			await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS));
		}
	},
});

type Report = Awaited<ReturnType<import("@virtkit/client/sdk/host").Host["memoryReport"]>>;

function hostFacts(figures: Report["host"]): [string, string][] {
	const { pressure, promisable, hugePages, swapTotal, swapFree } = figures;
	return [
		["Physical", size(figures.physical)],
		["Available", size(figures.available)],
		["Committed", `${size(figures.committed)}${promisable === 0n ? "" : ` of ${size(promisable)}`}`],
		["Ballooned", size(figures.ballooned)],
		["KSM saves", size(figures.ksmSaved)],
		["Huge pages", size(hugePages)],
		["Swapped", swapTotal === 0n ? "no swap" : `${size(swapTotal - swapFree)} of ${size(swapTotal)}`],
		["Pressure", pressure < 0 ? "not told" : `${pressure / 100} %`],
		["Balancer", figures.balancing ? "on" : "off"],
	];
}

const COLUMNS = ["Id", "Name", "Maximum", "Wanted", "Has", "Floor", "Resident", "Shared", "Merged", "Swapped"];

function guestRow({
	domain,
	maximum,
	wanted,
	actual,
	floor,
	resident,
	shared,
	merged,
	swapped,
}: Report["guests"][number]) {
	const sizes = [maximum, wanted, actual, floor, resident, shared, merged, swapped].map(size);
	return [String(domain.id), domain.name, ...sizes];
}

function decisionLine({ time, kind, domain, from, to, reason }: Report["decisions"][number]): string {
	const what = kind === "balloon" ? `${size(from)} -> ${size(to)}: ` : "refused: ";
	return `${new Date(Number(time)).toISOString()} ${kind} '${domain.name}' ${what}${reason}`;
}

/** KiB as numbers: none of them comes near 2^53. */
function toJson(report: Report): string {
	return JSON.stringify(report, (_, value: unknown) => (typeof value === "bigint" ? Number(value) : value), 2);
}

export const hostMemoryCommands: readonly CliCommand[] = [host];
