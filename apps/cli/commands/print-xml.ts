// What all commands that print a document share: the whole of it, or the parts that an XPath expression selects.

import { type CliContext, CommandError } from "../context.ts";
import { flag, named } from "../grammar/command.ts";

export const xpathOptions = {
	xpath: named("xpath expression to filter the XML document"),
	wrap: flag("wrap xpath results in an common root element"),
} as const;

/** Prints `xml`, or what `--xpath` selects of it, each part on a line or all in one element. */
export async function printXml(
	context: CliContext,
	xml: string,
	{ xpath, wrap }: { readonly xpath: string | undefined; readonly wrap: boolean },
): Promise<void> {
	if (xpath === undefined) return context.terminal.out(xml);
	const [{ parseXml }, { selectNodes }, { formatNode, formatWrapped }] = await Promise.all([
		import("@virtkit/xml/parse"),
		import("@virtkit/xml/xpath"),
		import("@virtkit/xml/xpath-tree"),
	]);
	const nodes = selectNodes(parseXml(xml), xpath);
	if (nodes === undefined) throw new CommandError(`internal error: Incorrect xpath '${xpath}'`);
	const parts = wrap ? [formatWrapped(nodes)] : nodes.map((node) => formatNode(node));
	context.terminal.out(parts.map((part) => `${part}\n`).join(""));
}
