// A QEMU driver in a process of its own, to be killed at any instant: takes commands as JSON lines, tells results and events so too.

import { join } from "node:path";
import { createInterface } from "node:readline";
import type { CallContext, DomainHandle } from "@virtkit/core/domain-operations";
import type { Hypervisor } from "@virtkit/core/hypervisor";
import { invoke } from "@virtkit/core/invoke";
import { createQemuDriver } from "@virtkit/qemu/driver";
import type { DriverSettings } from "@virtkit/qemu/settings";
import { DEFAULT_SETTINGS } from "@virtkit/qemu/settings-file";

/** A command: on the domain of that name, or with a document. */
export interface DriverCommand {
	readonly id: number;
	readonly do:
		| "define"
		| "create"
		| "start"
		| "destroy"
		| "undefine"
		| "suspend"
		| "resume"
		| "managedSave"
		| "attachDevice"
		| "detachDevice"
		| "xml"
		| "monitorCommand"
		| "createSnapshot"
		| "revertToSnapshot"
		| "deleteSnapshot"
		| "snapshots"
		| "checkpoints"
		| "beginBackup"
		| "backupXml"
		| "abortJob"
		| "list";
	/** The operation's own argument. */
	readonly text?: string;
	readonly name?: string;
	readonly xml?: string;
	readonly flags?: number;
}

const [root = "", cache = "", settings = "{}"] = process.argv.slice(2);

const say = (message: object): void => {
	process.stdout.write(
		`${JSON.stringify(message, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value))}\n`,
	);
};

const folders = {
	etc: join(root, "etc"),
	lib: join(root, "lib"),
	run: join(root, "run"),
	log: join(root, "log"),
	cache,
};
const log = (level: string) => (message: string, facts?: object) =>
	say({ log: level, message, error: String(Object.values(facts ?? {})) });
const driver = await createQemuDriver({
	folders,
	session: false,
	settings: { ...DEFAULT_SETTINGS, ...(JSON.parse(settings) as Partial<DriverSettings>) },
	log: { debug: () => undefined, info: log("info"), warn: log("warn"), error: log("error") },
});
const hypervisor = driver as unknown as Hypervisor;
driver.events.listen((event) => {
	if (event.kind === "lifecycle") say({ event: `${event.event} ${event.detail}`, name: event.domain.name });
});

const context: CallContext = {
	signal: new AbortController().signal,
	readOnly: false,
	caller: "test",
	onClose: () => ({ [Symbol.dispose]: () => undefined }),
};

const describe = (domain: DomainHandle) => ({ name: domain.name, id: domain.id, state: domain.stateName });

/** Operations whose own argument is one text. */
const TEXTUAL = ["attachDevice", "detachDevice", "createSnapshot", "revertToSnapshot", "deleteSnapshot"] as const;

const isTextual = (name: DriverCommand["do"]): name is (typeof TEXTUAL)[number] =>
	(TEXTUAL as readonly string[]).includes(name);

async function carryOut(command: DriverCommand): Promise<unknown> {
	const { name = "", xml = "", flags = 0, text = "" } = command;
	if (command.do === "list") return [...driver.domains.all()].map(describe);
	if (command.do === "define") return describe(await driver.domains.define(xml, flags, context));
	if (command.do === "create") return describe(await driver.domains.create(xml, flags, context));
	const domain = driver.domains.byName(name);
	if (!domain) throw new Error(`no domain '${name}'`);
	if (command.do === "xml") return invoke(hypervisor, "xml", domain, flags, context);
	if (command.do === "monitorCommand") return invoke(hypervisor, command.do, domain, flags, context, text, []);
	if (command.do === "beginBackup")
		return invoke(hypervisor, command.do, domain, flags, context, { xml: text, checkpointXml: xml || undefined });
	if (command.do === "backupXml") return invoke(hypervisor, command.do, domain, flags, context);
	if (command.do === "checkpoints") return invoke(hypervisor, command.do, domain, flags, context, undefined);
	if (command.do === "snapshots") return invoke(hypervisor, "snapshots", domain, flags, context, undefined);
	if (isTextual(command.do)) return invoke(hypervisor, command.do, domain, flags, context, text);
	await invoke(hypervisor, command.do, domain, flags, context);
	return describe(domain);
}

say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
	const command = JSON.parse(line) as DriverCommand;
	carryOut(command).then(
		(result) => say({ id: command.id, result }),
		(error: Error & { code?: string }) => say({ id: command.id, error: error.message, code: error.code }),
	);
}
await driver[Symbol.asyncDispose]();
