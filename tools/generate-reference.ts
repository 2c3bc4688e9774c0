// Renders docs/reference/domain.md from the declarations of the domain document.

import { domain } from "@virtkit/model/domain/domain";
import { renderReference } from "@virtkit/xml/reference";

const INTRODUCTION = `Every element and attribute of a guest's definition, in the order in which they are written. The page is made
from the declarations in \`packages/model/domain\`; \`./virtkit check --fix\` makes it anew. Elements that are not
described here are ignored, and refused when validation is asked for (\`virsh define --validate\`).`;

/** The page. */
export function render(): string {
	return renderReference(domain, {
		root: "domain",
		title: "The domain document",
		introduction: INTRODUCTION,
	});
}
