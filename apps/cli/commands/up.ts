// The first command a person runs: a daemon, a demo guest, and its console.

import { resolve } from "node:path";
import { type Connection, connect } from "@virtkit/client/sdk/connection";
import type { Domain } from "@virtkit/client/sdk/domain";
import type { CliContext } from "../context.ts";
import { CommandError, orFail } from "../context.ts";
import { flag, named, namedNumber, optional } from "../grammar/command.ts";
import { attachConsole } from "../shell/console.ts";
import { type InstancePlace, instancePlace, startDaemon } from "../shell/start-daemon.ts";
import { type CliCommand, declare } from "./declare.ts";

/** How guests can be run here: hardware or emulation, and why not hardware. */
interface Accelerator {
	readonly type: "kvm" | "qemu";
	readonly why: string;
}

async function chooseAccelerator(connection: Connection): Promise<Accelerator> {
	const document = await connection.host.capabilities();
	if (document.includes("<domain type='kvm'")) return { type: "kvm", why: "KVM works on this host" };
	try {
		await connection.host.domainCapabilities({ virtType: "kvm" });
		return { type: "qemu", why: "KVM cannot run guests on this host" };
	} catch (error) {
		return { type: "qemu", why: (error as Error).message };
	}
}

/** The guest's document. The demo guest's builder is only loaded by who needs it. */
async function demoXml(
	place: InstancePlace,
	name: string,
	type: Accelerator["type"],
	memoryMib: number,
	vcpus: number,
): Promise<string> {
	const { demoDomainXml, prepareDemoGuest } = await import("@virtkit/testing/demo-guest");
	return demoDomainXml(prepareDemoGuest(`${place.cache}/demo`), { name, type, memoryMib, vcpus });
}

const guestOptions = {
	name: optional("name of the guest (demo)"),
	memory: namedNumber("memory in MiB (256)"),
	vcpus: namedNumber("virtual CPUs (1)"),
} as const;

/** Makes sure that a daemon listens there; says when it had to start one. */
async function ensureDaemon(context: CliContext, place: InstancePlace): Promise<Connection> {
	const uri = `qemu+unix:///system?socket=${place.socket}`;
	const running = await connect(uri).catch(() => undefined);
	if (running) return running;
	const command = process.env.VIRTKIT_COMMAND;
	if (!command) throw new CommandError("VIRTKIT_COMMAND is not set: run this through the virtkit script");
	await startDaemon(place, command);
	context.say(`The daemon is running; its log is ${place.log}`);
	return connect(uri);
}

/** The guest of that name, running: as it is, or defined and started. */
async function ensureGuest(
	context: CliContext,
	connection: Connection,
	place: InstancePlace,
	name: string,
	memoryMib: number,
	vcpus: number,
): Promise<Domain> {
	const known = (await connection.domains.list()).find((domain) => domain.name === name);
	if (known && (await known.isActive())) {
		context.say(`Guest '${name}' is running already`);
		return known;
	}
	const { type, why } = await chooseAccelerator(connection);
	context.say(type === "kvm" ? `Using KVM: ${why}` : `Using emulation (TCG), slower than KVM: ${why}`);
	const domain = known ?? (await connection.domains.define(await demoXml(place, name, type, memoryMib, vcpus)));
	const started = await orFail(`Failed to start domain '${name}'`, domain.start());
	context.say(`Guest '${name}' is starting; its shell appears in a few seconds`);
	return started;
}

const up = declare({
	name: "up",
	summary: "start the daemon and a demo guest, and type into it",
	description: "Starts the daemon unless it runs, boots a tiny Linux guest on it and connects to its console.",
	local: true,
	options: {
		...guestOptions,
		root: named("keep everything of the daemon under this folder", { completes: "file" }),
		"no-console": flag("do not connect to the console"),
	},
	async run(context, args) {
		const root = args.root === undefined ? undefined : resolve(args.root);
		const place = instancePlace(root, process.getuid?.() ?? 0, process.env);
		const name = args.name ?? "demo";
		await using connection = await ensureDaemon(context, place);
		const guest = await ensureGuest(context, connection, place, name, args.memory ?? 256, args.vcpus ?? 1);
		if (!args["no-console"] && process.stdin.isTTY) return await attachConsole(context, guest, null, { force: true });
		const connectOption = root === undefined ? "" : ` -c 'qemu+unix:///system?socket=${place.socket}'`;
		context.say(`Type into it with: virtkit${connectOption} console ${name}`);
	},
});

const demoGuest = declare({
	name: "demo-guest",
	summary: "print the definition of a tiny Linux guest",
	description:
		"Builds an initial RAM file system from this host's kernel and busybox, and prints a domain document that boots it.",
	options: {
		...guestOptions,
		folder: named("where the initial RAM file system is kept (/var/tmp/virtkit)", { completes: "file" }),
		emulate: flag("use emulation even where KVM works"),
	},
	async run(context, args) {
		const { type } = args.emulate ? { type: "qemu" as const } : await chooseAccelerator(await context.connection);
		const place = { socket: "", log: "", words: [], cache: resolve(args.folder ?? "/var/tmp/virtkit") };
		context.print((await demoXml(place, args.name ?? "demo", type, args.memory ?? 256, args.vcpus ?? 1)).trimEnd());
	},
});

export const upCommands: readonly CliCommand[] = [up, demoGuest];
