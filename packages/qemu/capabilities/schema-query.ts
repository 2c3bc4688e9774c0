// Answers whether a QMP schema has something, asked as a path: `blockdev-add/arg-type/+file/aio/^io_uring`.

import type { SchemaEntity } from "@virtkit/qapi/introspection";

const INDEXES = new WeakMap<readonly SchemaEntity[], Map<string, SchemaEntity>>();
const ANSWERS = new WeakMap<readonly SchemaEntity[], Map<string, boolean>>();

function indexOf(schema: readonly SchemaEntity[]): Map<string, SchemaEntity> {
	let index = INDEXES.get(schema);
	if (!index) {
		index = new Map(schema.map((entity) => [entity.name, entity]));
		INDEXES.set(schema, index);
	}
	return index;
}

/**
 * Whether the schema has `path`.
 *
 * The first part names a command or event; `arg-type` and `ret-type` step into its types. Then `name` is a member,
 * `+name` a variant, `^name` a value of an enumeration, `$name` a feature.
 */
export function schemaHas(schema: readonly SchemaEntity[], path: string): boolean {
	let answers = ANSWERS.get(schema);
	if (!answers) ANSWERS.set(schema, (answers = new Map()));
	let answer = answers.get(path);
	if (answer === undefined) {
		const index = indexOf(schema);
		const [first = "", ...rest] = path.split("/");
		const start = index.get(first);
		answer = start !== undefined && walk(index, start, rest);
		answers.set(path, answer);
	}
	return answer;
}

function walk(index: Map<string, SchemaEntity>, at: SchemaEntity, path: readonly string[]): boolean {
	const [step, ...rest] = path;
	if (step === undefined) return true;
	const go = (type: string | undefined): boolean => {
		const next = type === undefined ? undefined : index.get(type);
		return next !== undefined && walk(index, next, rest);
	};
	if (step.startsWith("$")) return "features" in at && (at.features?.includes(step.slice(1)) ?? false);
	switch (at["meta-type"]) {
		case "command":
		case "event":
			return go(
				step === "arg-type" ? at["arg-type"] : "ret-type" in at && step === "ret-type" ? at["ret-type"] : undefined,
			);
		case "array": {
			const inner = index.get(at["element-type"]);
			return inner !== undefined && walk(index, inner, path);
		}
		case "alternate":
			return at.members.some(({ type }) => {
				const inner = index.get(type);
				return inner !== undefined && walk(index, inner, path);
			});
		case "enum":
			return step.startsWith("^") && at.values.includes(step.slice(1));
		case "object":
			if (step.startsWith("+")) return go(at.variants?.find((variant) => variant.case === step.slice(1))?.type);
			return memberHas(index, at, step, rest);
		default:
			return false;
	}
}

function memberHas(
	index: Map<string, SchemaEntity>,
	at: Extract<SchemaEntity, { "meta-type": "object" }>,
	step: string,
	rest: readonly string[],
): boolean {
	const member = at.members.find(({ name }) => name === step);
	if (!member) return false;
	if (rest[0]?.startsWith("$") && member.features?.includes(rest[0].slice(1))) return true;
	const type = index.get(member.type);
	return rest.length === 0 || (type !== undefined && walk(index, type, rest));
}
