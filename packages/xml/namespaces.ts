// Namespaces in XML 1.0: which prefix stands for what, and what may not be declared.

const XML = "http://www.w3.org/XML/1998/namespace";
const XMLNS = "http://www.w3.org/2000/xmlns/";

/** What prefixes stand for at one place of a document; "" is the default namespace. Never changed once made. */
export type Scope = ReadonlyMap<string, string>;

/** What is bound before anything is declared. */
export const ROOT_SCOPE: Scope = new Map([
	["xml", XML],
	["xmlns", XMLNS],
]);

/** The prefix that the attribute `name` declares, "" for the default namespace; undefined where it declares none. */
export function declaredPrefix(name: string): string | undefined {
	if (!name.startsWith("xmlns")) return undefined;
	if (name.length === 5) return "";
	return name.charCodeAt(5) === 0x3a ? name.slice(6) : undefined;
}

/** What is wrong with declaring `prefix` as `uri`; undefined where nothing is. */
export function declarationFault(prefix: string, uri: string): string | undefined {
	if (prefix !== "" && uri === "") return "invalid attempt to undefine prefix in XML 1.0";
	if (prefix === "xml" && uri !== XML) return `xml prefix must be bound to ${XML}.`;
	if (prefix === "xmlns" && uri !== XMLNS) return `xmlns prefix must be bound to ${XMLNS}.`;
	if (uri === XMLNS) {
		if (prefix === "") return `the default namespace may not be set to ${uri}.`;
		return `may not assign a prefix (even "xmlns") to the URI ${XMLNS}.`;
	}
	if (uri !== XML || prefix === "xml") return undefined;
	if (prefix === "") return `the default namespace may not be set to ${uri}.`;
	return "may not assign the xml namespace to another prefix.";
}

/** Names of attributes with their prefixes resolved; a fault where one is unbound or two are the same. */
export function attributesFault(names: readonly string[], scope: Scope): string | undefined {
	const seen = new Set<string>();
	for (const name of names) {
		const colon = name.indexOf(":");
		let expanded = name;
		if (colon > 0) {
			const prefix = name.slice(0, colon);
			const uri = scope.get(prefix);
			if (uri === undefined) return unbound(prefix);
			expanded = `{${uri}}${name.slice(colon + 1)}`;
		}
		if (seen.has(expanded)) return `duplicate attribute: ${expanded}.`;
		seen.add(expanded);
	}
	return undefined;
}

export const unbound = (prefix: string): string => `unbound namespace prefix: ${JSON.stringify(prefix)}.`;

/** Whether `name` has more than one colon, or nothing before or after its colon. */
export function isMalformed(name: string, colon = name.indexOf(":")): boolean {
	return colon === 0 || colon === name.length - 1 || name.indexOf(":", colon + 1) !== -1;
}
