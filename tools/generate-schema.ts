// Renders docs/reference/domain.schema.json: the JSON Schema of a guest's definition as an object, from the declarations.

import { domain } from "@virtkit/model/domain/domain";
import { jsonSchemaOf } from "@virtkit/xml/json-schema";

/** The document. */
export function render(): string {
	return `${JSON.stringify(jsonSchemaOf(domain, "domain"), undefined, "\t")}\n`;
}
