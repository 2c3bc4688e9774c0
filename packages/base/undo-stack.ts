// Steps to undo, last first, unless the work was committed: what makes a multi-step operation leave nothing behind.

type Undo = () => void | Promise<void>;

/**
 * Collects how to undo each step of an operation.
 *
 * Used with `await using`: leaving the block undoes everything in reverse order, unless `commit` was called.
 * An undo that fails does not keep the others from running; all failures are thrown together at the end.
 */
export class UndoStack implements AsyncDisposable {
	readonly #undos: { what: string; undo: Undo }[] = [];

	/** Remembers how to undo a step that was just done. `what` names it in errors. */
	defer(what: string, undo: Undo): void {
		this.#undos.push({ what, undo });
	}

	/** The operation is complete: nothing is undone any more. */
	commit(): void {
		this.#undos.length = 0;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		const failures: Error[] = [];
		for (let step = this.#undos.pop(); step; step = this.#undos.pop()) {
			try {
				await step.undo();
			} catch (error) {
				failures.push(new Error(`undoing ${step.what} failed`, { cause: error }));
			}
		}
		if (failures.length > 0) throw new AggregateError(failures, failures.map((failure) => failure.message).join("; "));
	}
}
