// A domain's definition with its texts, formatted once each and kept until it changes.

import type { CpuDef } from "@virtkit/model/domain/cpu";
import { type DomainDef, formatDomain } from "@virtkit/model/domain/domain";
import type { FormatOptions } from "@virtkit/xml/format";

/** What lists and figures of a domain that does not run are made of; small enough to keep for every domain. */
export interface DefinitionFigures {
	readonly osType: string;
	/** KiB. */
	readonly maxMemory: number;
	/** KiB. */
	readonly memory: number;
	readonly vcpus: number;
	readonly maxVcpus: number;
}

/** A definition. Whoever changes `def` calls `changed`. */
export class Definition {
	readonly def: DomainDef;
	/** The CPU as it turned out, shown in place of the definition's; what goes to another host keeps the one asked for. */
	shownCpu: CpuDef | undefined;
	/** Settles when the definition is as it will be shown; undefined where it is already. */
	settling: Promise<void> | undefined;
	readonly #texts = new Map<number, string>();

	constructor(def: DomainDef) {
		this.def = def;
	}

	/** The definition as XML. */
	format(options: FormatOptions = {}): string {
		const key = (options.inactive ? 1 : 0) | (options.secure ? 2 : 0) | (options.migratable ? 4 : 0);
		let text = this.#texts.get(key);
		if (text === undefined) this.#texts.set(key, (text = formatDomain(this.#shown(options), options)));
		return text;
	}

	#shown({ migratable }: FormatOptions): DomainDef {
		return this.shownCpu === undefined || migratable ? this.def : { ...this.def, cpu: this.shownCpu };
	}

	changed(): void {
		this.#texts.clear();
	}

	/** A definition of its own with the same content. */
	copy(): DomainDef {
		return structuredClone(this.def);
	}

	get figures(): DefinitionFigures {
		return figuresOf(this.def);
	}
}

/** The figures of `def`, which must be complete. */
export function figuresOf(def: DomainDef): DefinitionFigures {
	const maxMemory = def.memory?.size ?? 0;
	const maxVcpus = def.vcpu.count ?? 1;
	return {
		osType: def.os.type.type,
		maxMemory,
		memory: def.currentMemory ?? maxMemory,
		vcpus: def.vcpu.current ?? maxVcpus,
		maxVcpus,
	};
}
