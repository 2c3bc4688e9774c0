// The tree of a domain's moments (its snapshots, or its checkpoints): names, parents, children, and the one the domain is at.

import { VirtError } from "@virtkit/base/errors";
import type { MomentDef } from "@virtkit/model/snapshot/moment";

/** See the opening sentence. A moment whose parent is not there is a root. */
export class MomentTree<D extends MomentDef> {
	readonly #byName = new Map<string, D>();
	#current: string | undefined;

	get size(): number {
		return this.#byName.size;
	}

	/** In the order in which they came. */
	all(): D[] {
		return [...this.#byName.values()];
	}

	byName(name: string): D | undefined {
		return this.#byName.get(name);
	}

	/** The moment that the domain is at: the next one follows it. */
	get current(): D | undefined {
		return this.#current === undefined ? undefined : this.#byName.get(this.#current);
	}

	set current(moment: D | undefined) {
		this.#current = moment?.name;
	}

	/** Adds a moment, or puts it in the place of the one of that name. */
	put(moment: D): void {
		this.#byName.set(moment.name, moment);
	}

	/** Takes a moment out; its children must have another parent. */
	remove(moment: D): void {
		this.#byName.delete(moment.name);
		if (this.#current === moment.name) this.#current = undefined;
	}

	parentOf({ parent }: D): D | undefined {
		return parent?.name === undefined ? undefined : this.#byName.get(parent.name);
	}

	/** Those right below `moment`; the roots where that is undefined. */
	childrenOf(moment: D | undefined): D[] {
		return this.all().filter((one) => this.parentOf(one) === moment);
	}

	/** Those below `moment`, all of them where that is undefined; parents before their children. */
	descendantsOf(moment: D | undefined): D[] {
		return this.childrenOf(moment).flatMap((child) => [child, ...this.descendantsOf(child)]);
	}

	isLeaf(moment: D): boolean {
		return !this.all().some((one) => this.parentOf(one) === moment);
	}

	/** Refuses a moment whose parent is not there or would come after it. Throws INVALID_ARG in libvirt's words. */
	checkPlace({ name, parent }: MomentDef): void {
		const wanted = parent?.name;
		if (wanted === undefined) return;
		if (wanted === name) throw new VirtError("INVALID_ARG", `cannot set moment ${name} as its own parent`);
		let above = this.#byName.get(wanted);
		if (above === undefined) throw new VirtError("INVALID_ARG", `parent ${wanted} for moment ${name} not found`);
		for (; above !== undefined; above = this.parentOf(above))
			if (above.parent?.name === name)
				throw new VirtError("INVALID_ARG", `parent ${above.name} would create cycle to ${name}`);
	}

	/** Makes roots of moments whose chain of parents comes back to them, which only a broken file can bring about. */
	breakCycles(): void {
		for (const moment of this.#byName.values()) {
			const seen = new Set<D>();
			for (let above: D | undefined = moment; above; above = this.parentOf(above)) {
				if (!seen.has(above)) seen.add(above);
				else {
					delete above.parent;
					break;
				}
			}
		}
	}
}
