// The options of a device that is plugged into a running guest, and QEMU's monitor commands that do what the options would.

import { randomInt } from "node:crypto";
import { VirtError } from "@virtkit/base/errors";
import { CommandLine, type JsonObject } from "../command-line/command-line.ts";

/** What does an option's work on the monitor, and what undoes it. */
interface MonitorForm {
	readonly add: string;
	readonly remove?: string;
	/** Arguments of `remove`. */
	id?(json: JsonObject): JsonObject;
}

const byId = ({ id }: JsonObject): JsonObject => ({ id });

const FORMS: Readonly<Record<string, MonitorForm>> = {
	"-object": { add: "object-add", remove: "object-del", id: byId },
	"-blockdev": {
		add: "blockdev-add",
		remove: "blockdev-del",
		id: (json) => ({ "node-name": json["node-name"] }),
	},
	"-netdev": { add: "netdev_add", remove: "netdev_del", id: byId },
	"-chardev": { add: "chardev-add", remove: "chardev-remove", id: byId },
	"-device": { add: "device_add", remove: "device_del", id: byId },
	"-watchdog-action": { add: "set-action" },
};

/** One command that plugs a part in, and the one that takes it out. */
export interface Plug {
	readonly execute: string;
	readonly arguments: JsonObject;
	readonly undo: { readonly execute: string; readonly arguments: JsonObject } | undefined;
	/** The guest must let go of it: a device, not one of the parts behind it. */
	readonly isDevice: boolean;
}

/** A descriptor that QEMU gets over the monitor, by name. */
export interface NamedFd {
	readonly fd: number;
	readonly name: string;
}

/** A descriptor that QEMU gets over the monitor, as a member of a set. */
export interface FdInSet {
	readonly fd: number;
	readonly set: number;
	readonly opaque: string;
}

/** See the opening sentence. Descriptors have names instead of numbers. */
export class PlugLine extends CommandLine {
	readonly fds: NamedFd[] = [];
	readonly setFds: FdInSet[] = [];
	readonly #owner: string;

	/** `owner`: what descriptors are named after. */
	constructor(binary: string, owner: string) {
		super(binary);
		this.#owner = owner;
	}

	override passFd(fd: number): string {
		const name = `fd-${this.#owner}-${this.fds.length}`;
		this.fds.push({ fd, name });
		return name;
	}

	override addFdSet(number: number | string, opaque: string): string {
		const index = this.fds.findIndex(({ name }) => name === number);
		const [given] = this.fds.splice(index, 1);
		if (given === undefined) throw new Error(`descriptor '${number}' was not passed`);
		// Other sets are numbered from 0 on.
		const set = randomInt(1 << 20, 2 ** 31);
		this.setFds.push({ fd: given.fd, set, opaque });
		return `/dev/fdset/${set}`;
	}

	override addToFdSet(set: number, fd: number, opaque: string): void {
		this.setFds.push({ fd, set, opaque });
	}

	/** The options as monitor commands, in order. Throws OPERATION_UNSUPPORTED where the monitor has none for one. */
	get plugs(): Plug[] {
		const isDevice = ({ name }: { readonly name: string }): boolean => name === "-device";
		// On the command line, order does not matter to what a device refers to.
		const parts = [...this.options.filter((option) => !isDevice(option)), ...this.options.filter(isDevice)];
		return parts.map(({ name, json }) => {
			const form = FORMS[name];
			if (form === undefined || json === undefined)
				throw new VirtError("OPERATION_UNSUPPORTED", `QEMU's option ${name} cannot be given to a running guest`);
			const { add, remove, id } = form;
			return {
				execute: add,
				arguments: json,
				undo: remove === undefined ? undefined : { execute: remove, arguments: id?.(json) ?? {} },
				isDevice: name === "-device",
			};
		});
	}

	/** Some of the options, as a line of their own. */
	part(start: number, end?: number): PlugLine {
		const part = new PlugLine(this.binary, this.#owner);
		part.options.push(...this.options.slice(start, end));
		return part;
	}
}
