// What a client was told of one domain, and the operations that change it: what must hold before, what holds when it is acknowledged.

import { rmSync } from "node:fs";
import type { Connection } from "@virtkit/client/sdk/connection";
import type { Domain } from "@virtkit/client/sdk/domain";
import { tinyGuest } from "@virtkit/testing/qemu-driver";

type Ran = "running" | "paused";

/** All that can be observed of a domain and that a kill must not change. */
export interface Facts {
	readonly name: string;
	readonly defined: boolean;
	/** Tells definitions apart: the number in its title. */
	readonly title: number;
	readonly autostart: boolean;
	readonly state: "off" | Ran;
	/** How the guest in its managed save was. */
	readonly managedSave: Ran | "none";
}

/** A domain as far as its client knows. */
export interface Known {
	readonly uuid: string;
	readonly disk: string;
	/** Where `save` writes. */
	readonly image: string;
	readonly facts: Facts;
	/** How the guest in the image was; whatever is there for `none` is of no use. */
	readonly saved: Ran | "none";
	/** The title of the guest that runs or is saved; the definition's may be newer. */
	readonly live: number;
}

export interface Operation {
	readonly name: string;
	/** How often it is chosen, as against the others. */
	readonly weight: number;
	possible(known: Known): boolean;
	/** What a client knows once it is acknowledged. */
	after(known: Known): Known;
	/** What a client that did not hear the end may meet too, beside the old and the new. */
	between?(known: Known): Known;
	/** What is left of the old where it was begun and did not happen; all of it unless told. */
	spoils?(known: Known): Known;
	run(connection: Connection, known: Known, after: Known): Promise<unknown>;
}

/** The document of a domain: a guest that halts in a boot sector. */
export function documentOf({ uuid, facts: { name, title }, disk }: Known): string {
	const more = `<uuid>${uuid}</uuid><title>${title}</title>`;
	const devices = `<disk type='file'><source file='${disk}'/><target dev='hda' bus='ide'/></disk>`;
	return tinyGuest(name, { more, devices });
}

const change = (known: Known, facts: Partial<Facts>, own: Partial<Known> = {}): Known => ({
	...known,
	...own,
	facts: { ...known.facts, ...facts },
});

const isUp = ({ facts: { state } }: Known) => state !== "off";
const isRunning = ({ facts: { state } }: Known) => state === "running";
const isOff = (known: Known) => known.facts.defined && !isUp(known);
const ranAs = ({ facts: { state } }: Known): Ran => (state === "paused" ? "paused" : "running");
const newTitle = ({ live, facts: { title } }: Known) => Math.max(live, title) + 1;
/** The guest that a start brings up: the saved one, or one of the definition. */
const liveOf = ({ live, facts: { managedSave, title } }: Known) => (managedSave === "none" ? title : live);
const stem = (name: string) => name.replace(/x$/, "");

/** An operation on the domain as the daemon has it. */
const on =
	(call: (domain: Domain, known: Known, after: Known) => Promise<unknown>): Operation["run"] =>
	async (connection, known, after) =>
		call(await connection.domains.get(known.uuid), known, after);

const UNDEFINED = { defined: false, autostart: false } as const;

export const OPERATIONS: readonly Operation[] = [
	{
		name: "define",
		weight: 4,
		possible: () => true,
		after: (known) => change(known, { defined: true, title: newTitle(known) }),
		run: (connection, _, after) => connection.domains.define(documentOf(after)),
	},
	{
		name: "undefine",
		weight: 1,
		possible: isOff,
		after: (known) => change(known, { ...UNDEFINED, managedSave: "none" }),
		// It loses its extras one after the other, its definition last.
		between: (known) => change(known, { autostart: false, managedSave: "none" }),
		run: on((domain) => domain.undefine({ managedSave: true })),
	},
	{
		name: "undefine while it runs",
		weight: 1,
		possible: (known) => isUp(known) && known.facts.defined,
		after: (known) => change(known, { ...UNDEFINED, title: known.live }),
		between: (known) => change(known, { autostart: false }),
		run: on((domain) => domain.undefine()),
	},
	{
		name: "create",
		weight: 2,
		possible: ({ facts }) => !facts.defined && facts.state === "off",
		after: (known) =>
			change(known, { state: "running", title: newTitle(known) }, { live: newTitle(known), saved: "none" }),
		run: (connection, _, after) => connection.domains.create(documentOf(after)),
	},
	{
		name: "start",
		weight: 8,
		possible: isOff,
		after: (known) =>
			change(
				known,
				{ state: known.facts.managedSave === "none" ? "running" : known.facts.managedSave, managedSave: "none" },
				{ live: liveOf(known), saved: "none" },
			),
		run: on((domain) => domain.start()),
	},
	{
		name: "start paused",
		weight: 1,
		possible: isOff,
		after: (known) => change(known, { state: "paused", managedSave: "none" }, { live: liveOf(known), saved: "none" }),
		run: on((domain) => domain.start({ paused: true })),
	},
	{
		name: "destroy",
		weight: 4,
		possible: isUp,
		after: (known) => change(known, { state: "off" }),
		run: on((domain) => domain.destroy()),
	},
	{
		name: "suspend",
		weight: 1,
		possible: isRunning,
		after: (known) => change(known, { state: "paused" }),
		run: on((domain) => domain.suspend()),
	},
	{
		name: "resume",
		weight: 3,
		possible: ({ facts }) => facts.state === "paused",
		after: (known) => change(known, { state: "running" }),
		run: on((domain) => domain.resume()),
	},
	{
		name: "managed save",
		weight: 3,
		possible: (known) => isUp(known) && known.facts.defined,
		after: (known) => change(known, { state: "off", managedSave: ranAs(known) }),
		run: on((domain) => domain.managedSave()),
	},
	{
		name: "remove the managed save",
		weight: 1,
		possible: ({ facts }) => facts.managedSave !== "none",
		after: (known) => change(known, { managedSave: "none" }),
		run: on((domain) => domain.removeManagedSave()),
	},
	{
		name: "save",
		weight: 2,
		possible: isUp,
		after: (known) => change(known, { state: "off" }, { saved: ranAs(known) }),
		spoils: (known) => change(known, {}, { saved: "none" }),
		run: on((domain, { image }) => domain.save(image)),
	},
	{
		name: "restore",
		weight: 6,
		possible: ({ facts, saved }) => facts.state === "off" && facts.managedSave === "none" && saved !== "none",
		after: (known) =>
			change(
				known,
				{
					state: known.saved === "paused" ? "paused" : "running",
					title: known.facts.defined ? known.facts.title : known.live,
				},
				{ saved: "none" },
			),
		run: async (connection, { image }) => {
			await connection.domains.restore(image);
			rmSync(image);
		},
	},
	{
		name: "set autostart",
		weight: 2,
		possible: ({ facts }) => facts.defined,
		after: (known) => change(known, { autostart: !known.facts.autostart }),
		run: on((domain, _, { facts }) => domain.setAutostart(facts.autostart)),
	},
	{
		name: "rename",
		weight: 2,
		possible: (known) => isOff(known) && known.facts.managedSave === "none",
		after: (known) =>
			change(
				known,
				{ name: known.facts.name === stem(known.facts.name) ? `${known.facts.name}x` : stem(known.facts.name) },
				{ saved: "none" },
			),
		run: on((domain, _, { facts }) => domain.rename(facts.name)),
	},
];
