// Reads answers of the guest agent, of which nothing can be taken for granted: the guest writes them.

import { VirtError } from "@virtkit/base/errors";

/** A JSON object of an answer, with the command it belongs to. */
export class AgentObject {
	readonly #command: string;
	readonly #values: Readonly<Record<string, unknown>>;

	/** Throws INTERNAL_ERROR where `value` is no JSON object. */
	constructor(command: string, value: unknown) {
		if (typeof value !== "object" || value === null || Array.isArray(value))
			throw new VirtError("INTERNAL_ERROR", `${command} reply was missing return data`);
		this.#command = command;
		this.#values = value as Readonly<Record<string, unknown>>;
	}

	/** The text there; undefined where there is none. */
	textIfAny(key: string): string | undefined {
		const value = this.#values[key];
		return typeof value === "string" ? value : undefined;
	}

	text(key: string): string {
		return this.textIfAny(key) ?? this.#missing(key);
	}

	boolean(key: string): boolean {
		const value = this.#values[key];
		return typeof value === "boolean" ? value : this.#missing(key);
	}

	number(key: string): number {
		const value = this.#values[key];
		return typeof value === "number" ? value : this.#missing(key);
	}

	/** A whole number from `min` to `max`. */
	integer(key: string, min = 0, max = 0xffff_ffff): number {
		const value = this.number(key);
		return Number.isInteger(value) && value >= min && value <= max ? value : this.#missing(key);
	}

	/** A size in bytes; undefined where the agent is too old to say it. */
	sizeIfAny(key: string): bigint | undefined {
		if (!(key in this.#values)) return undefined;
		const value = this.integer(key, 0, Number.MAX_VALUE);
		return BigInt.asUintN(64, BigInt(value));
	}

	objectIfAny(key: string): AgentObject | undefined {
		return key in this.#values ? new AgentObject(this.#command, this.#values[key]) : undefined;
	}

	object(key: string): AgentObject {
		return this.objectIfAny(key) ?? this.#missing(key);
	}

	/** The objects of a list there. */
	objects(key: string): AgentObject[] {
		return agentObjects(this.#command, this.#list(key));
	}

	/** The texts of a list there. */
	texts(key: string): string[] {
		return this.#list(key).map((value) => (typeof value === "string" ? value : this.#missing(key)));
	}

	has(key: string): boolean {
		return key in this.#values;
	}

	#list(key: string): readonly unknown[] {
		const value = this.#values[key];
		return Array.isArray(value) ? value : this.#missing(key);
	}

	#missing(key: string): never {
		throw new VirtError("INTERNAL_ERROR", `'${key}' missing in reply of ${this.#command}`);
	}
}

/** The objects of an answer that is a list. Throws INTERNAL_ERROR where it is none. */
export function agentObjects(command: string, value: unknown): AgentObject[] {
	if (!Array.isArray(value)) throw new VirtError("INTERNAL_ERROR", `Malformed ${command} data array`);
	return value.map((entry) => new AgentObject(command, entry));
}

/** An answer that is a count. Throws INTERNAL_ERROR where it is none. */
export function agentCount(value: unknown): number {
	if (typeof value !== "number" || !Number.isInteger(value) || Math.abs(value) > 0x7fff_ffff)
		throw new VirtError("INTERNAL_ERROR", "malformed return value");
	return value;
}
