// Which declared fields documents exercise: what the test counts that wants every attribute used by some fixture.

import type { Fields, Schema } from "@virtkit/xml/schema";
import { type DeclaredField, declaredFields } from "@virtkit/xml/walk";

/** Collects what documents exercise; `onField` goes into the context they are read with. */
export class FieldCoverage {
	readonly #used = new Map<Fields, Set<string>>();

	readonly onField = (fields: Fields, key: string): void => {
		let keys = this.#used.get(fields);
		if (!keys) this.#used.set(fields, (keys = new Set()));
		keys.add(key);
	};

	/** Fields of `schema`, called `root` in their paths, that no document had. */
	unused(schema: Schema<unknown>, root: string): DeclaredField[] {
		return declaredFields(schema, root).filter(({ fields, key }) => !this.#used.get(fields)?.has(key));
	}
}
