// The reporter given to each test file's process: writes what the file's tests came to, one JSON line a test.

import type { EventData } from "node:test";

/** What one test came to. */
export interface TestRecord {
	/** Titles from the outermost test to this one. */
	readonly title: string;
	readonly outcome: "passed" | "failed" | "skipped";
	/** Why it was skipped, or how it failed. */
	readonly detail: string;
	readonly milliseconds: number;
}

type Finished = EventData.TestPass | EventData.TestFail;

/** The events of node:test that matter here. */
export type TestEvent =
	| { readonly type: "test:start"; readonly data: EventData.TestStart }
	| { readonly type: "test:pass"; readonly data: EventData.TestPass }
	| { readonly type: "test:fail"; readonly data: EventData.TestFail };

function describeError(error: unknown): string {
	if (!(error instanceof Error)) return String(error);
	const own = error.stack ?? error.message;
	return error.cause === undefined ? own : `${own}\ncaused by: ${describeError(error.cause)}`;
}

/** node:test wraps what a test threw; the cause is what its author wants to see. */
function describeFailure(data: EventData.TestFail): string {
	return describeError(data.details.error.cause ?? data.details.error);
}

function reasonOf(mark: string | boolean): string {
	return typeof mark === "string" ? mark : "no reason given";
}

function failedWithin(data: EventData.TestFail): boolean {
	return (data.details.error as { failureType?: string }).failureType === "subtestsFailed";
}

function toRecord({ type, data }: Extract<TestEvent, { data: Finished }>, title: string): TestRecord | undefined {
	// Groups are no tests, and a test that failed because one inside it did is told by that one.
	if (data.details.type === "suite" || (type === "test:fail" && failedWithin(data))) return undefined;
	const milliseconds = data.details.duration_ms;
	const mark = data.skip ?? data.todo;
	if (mark !== undefined && mark !== false) return { title, outcome: "skipped", detail: reasonOf(mark), milliseconds };
	if (type === "test:pass") return { title, outcome: "passed", detail: "", milliseconds };
	return { title, outcome: "failed", detail: describeFailure(data), milliseconds };
}

/** The reporter: one line for every test, none for groups of tests. */
export default async function* records(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
	const titles = new Map<number, string>();
	for await (const event of events) {
		if (event.type === "test:start") {
			const { testId, parentId, name } = event.data;
			const parent = parentId === undefined ? undefined : titles.get(parentId);
			titles.set(testId, parent === undefined ? name : `${parent} › ${name}`);
		} else if (event.type === "test:pass" || event.type === "test:fail") {
			const record = toRecord(event, titles.get(event.data.testId) ?? event.data.name);
			if (record !== undefined) yield `${JSON.stringify(record)}\n`;
		}
	}
}
