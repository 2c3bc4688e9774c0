// The QEMU command line under construction: options in order, descriptors to pass, and where each option came from.

/** A value of QEMU's JSON option syntax. */
export type Json =
	| string
	| number
	| bigint
	| boolean
	| null
	| readonly Json[]
	| { readonly [key: string]: Json | undefined };
export type JsonObject = { readonly [key: string]: Json | undefined };

/** Why an option stands there: the element of the domain it renders, or the default or rule that made it. */
export interface Origin {
	/** The part of the domain definition; its line in the document is `positionOf(element)`. */
	readonly element?: object;
	/** Child element of it that holds one text, where the option renders that alone. */
	readonly leaf?: string;
	/** What it is, for instance `disk vda`, or the rule in words. */
	readonly what: string;
}

export interface Option {
	/** With its dash, for instance `-device`. */
	readonly name: string;
	/** Absent for options that take none. */
	readonly value?: string;
	/** The value as the monitor's command of the same purpose takes it, where there is one. */
	readonly json?: JsonObject;
	readonly origin: Origin;
}

/** A descriptor that the child inherits: `fd` of ours becomes number `number` in the child. */
export interface PassedFd {
	readonly fd: number;
	readonly number: number;
}

/** The first descriptor number passed to QEMU: 0 to 2 are its standard streams. */
const FIRST_PASSED_FD = 3;

export class CommandLine {
	readonly binary: string;
	readonly options: Option[] = [];
	readonly environment: Record<string, string> = {};
	readonly passed: PassedFd[] = [];
	/** Ids of the devices so far. */
	readonly deviceIds = new Set<string>();
	/** Changes a device before it is appended: what a definition's overrides do. */
	adaptDevice: (device: JsonObject) => JsonObject = (device) => device;
	#origin: Origin = { what: "always" };
	/** How many sets of descriptors there are; they are numbered from 0. */
	fdSets = 0;

	constructor(binary: string) {
		this.binary = binary;
	}

	/** Options added within `build` are said to come from `origin`. */
	from<T>(origin: Origin, build: () => T): T {
		const outer = this.#origin;
		this.#origin = origin;
		try {
			return build();
		} finally {
			this.#origin = outer;
		}
	}

	/** Appends `-name value`; `json` is what the monitor takes for it, where the option itself has a syntax of its own. */
	add(name: string, value?: string, json?: JsonObject): void {
		this.options.push({
			name,
			...(value === undefined ? {} : { value }),
			...(json === undefined ? {} : { json }),
			origin: this.#origin,
		});
	}

	/** Appends `-name {json}`; members that are undefined are left out. */
	addJson(name: string, value: JsonObject): void {
		this.add(name, formatJson(value), value);
	}

	/** Appends `-device {json}`, with the definition's overrides of it. */
	addDevice(device: JsonObject): void {
		if (typeof device.id === "string") this.deviceIds.add(device.id);
		this.addJson("-device", this.adaptDevice(device));
	}

	/** Has the child inherit `fd` and returns what options call it: its number there. */
	passFd(fd: number): number | string {
		const number = FIRST_PASSED_FD + this.passed.length;
		this.passed.push({ fd, number });
		return number;
	}

	/** Puts inherited descriptor `number` into a set of its own (-add-fd) and returns the path by which QEMU opens it. */
	addFdSet(number: number | string, opaque: string): string {
		const set = this.fdSets++;
		this.add("-add-fd", `set=${set},fd=${number},opaque=${opaque}`);
		return fdSetPath({ set });
	}

	/** Has the child inherit `fd` as a member of a set whose number is settled. */
	addToFdSet(set: number, fd: number, opaque: string): void {
		this.add("-add-fd", `set=${set},fd=${this.passFd(fd)},opaque=${opaque}`);
	}

	/** The argument vector, binary first. */
	get argv(): string[] {
		return [this.binary, ...this.options.flatMap(({ name, value }) => (value === undefined ? [name] : [name, value]))];
	}
}

/** The path by which QEMU opens a set of descriptors. */
export const fdSetPath = ({ set }: { readonly set: number }): string => `/dev/fdset/${set}`;

/** `value` as JSON text; 64-bit numbers keep all their digits. */
export function formatJson(value: JsonObject): string {
	const big: bigint[] = [];
	const text = JSON.stringify(value, (_, member: unknown) =>
		typeof member === "bigint" ? `\0${big.push(member) - 1}` : member,
	);
	return big.length === 0 ? text : text.replace(/"\\u0000(\d+)"/g, (_, index) => String(big[Number(index)]));
}

/** Doubles the commas of a value inside QEMU's `key=value,key=value` syntax. */
export function escapeCommas(value: string): string {
	return value.replaceAll(",", ",,");
}
