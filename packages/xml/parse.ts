// Text to document tree: strict, without DTD or external entities, bounded in size and depth.

import { VirtError } from "@virtkit/base/errors";
import {
	ASCII,
	isCharacter,
	isNameCharacter,
	isNameStart,
	isNcName,
	isSpace,
	PLAIN_TEXT,
	PLAIN_VALUE,
} from "./characters.ts";
import {
	attributesFault,
	declarationFault,
	declaredPrefix,
	isMalformed,
	ROOT_SCOPE,
	type Scope,
	unbound,
} from "./namespaces.ts";
import type { XmlElement, XmlNode } from "./node.ts";

export interface ParseLimits {
	/** Characters of the whole document; libvirt's RPC strings end at 4 MiB. */
	readonly size: number;
	/** Nesting of elements (libxml2's own limit is 256). */
	readonly depth: number;
}

export const DEFAULT_LIMITS: ParseLimits = {
	size: 16 * 1024 * 1024,
	depth: 256,
};

/**
 * Parses `text` to its root element.
 *
 * `what` names the document in messages, for instance `domain definition`.
 * Throws XML_DETAIL with line and column for anything that is not well-formed, carries a document type
 * declaration (which is where entity bombs and external entities live), or exceeds the limits.
 */
export function parseXml(text: string, what = "document", limits: ParseLimits = DEFAULT_LIMITS): XmlElement {
	if (text.length > limits.size)
		throw new VirtError("XML_ERROR", `${what}: ${text.length} characters, more than the ${limits.size} allowed`);
	return new Parser(text, what, limits.depth).document();
}

const [TAB, NEWLINE, RETURN, BANG, AMPERSAND] = [0x09, 0x0a, 0x0d, 0x21, 0x26] as const;
const [SLASH, LESS, EQUALS, GREATER, QUESTION, BRACKET] = [0x2f, 0x3c, 0x3d, 0x3e, 0x3f, 0x5d] as const;
const [DOUBLE_QUOTE, SINGLE_QUOTE] = [0x22, 0x27] as const;

const ENTITIES: ReadonlyMap<string, string> = new Map([
	["amp", "&"],
	["gt", ">"],
	["lt", "<"],
	["quot", '"'],
	["apos", "'"],
]);

/** What follows `<?xml`: version, encoding and standalone in this order (production XMLDecl). */
const DECLARATION =
	/[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.[0-9]+"|'1\.[0-9]+')(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"[A-Za-z][\w.-]*"|'[A-Za-z][\w.-]*'))?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\r\n]*\?>/y;

interface OpenElement {
	readonly element: XmlElement;
	readonly children: XmlNode[];
	readonly scope: Scope;
}

/** One pass over one document. Each method begins where the one before ended, at `#at`. */
class Parser {
	readonly #text: string;
	readonly #what: string;
	readonly #depth: number;
	readonly #open: OpenElement[] = [];
	#at = 0;
	#root: XmlElement | undefined;
	/** The root's tag has begun. */
	#begun = false;
	/** Line that `#lineStart` begins, and where the next begins: positions are asked for in ascending order. */
	#line = 1;
	#lineStart = 0;
	#nextLine = 0;
	/** Of the tag being read: its namespaces, the names of its attributes, and whether these need a closer look. */
	#scope: Scope = ROOT_SCOPE;
	readonly #names: string[] = [];
	#doubtful = false;

	constructor(text: string, what: string, depth: number) {
		this.#text = text;
		this.#what = what;
		this.#depth = depth;
	}

	document(): XmlElement {
		if (this.#text.charCodeAt(0) === 0xfeff) this.#at = 1;
		this.#declaration();
		while (this.#at < this.#text.length) {
			if (this.#open.length === 0) this.#blanks();
			else this.#content();
			if (this.#at < this.#text.length) this.#markup();
		}
		if (this.#root === undefined || this.#open.length > 0) this.#ends();
		return this.#root;
	}

	/** Throws the fault at the place reached. */
	#fail(reason: string): never {
		const before = this.#text.slice(0, this.#at);
		const lines = before.split(/\r\n?|\n/);
		const position = { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
		throw new VirtError("XML_DETAIL", `${this.#what}, line ${position.line}, column ${position.column}: ${reason}`, {
			domain: "DOMAIN",
			position,
		});
	}

	/** The text ended inside something. */
	#ends(): never {
		this.#at = this.#text.length;
		if (!this.#begun) this.#fail("document must contain a root element.");
		const inner = this.#open.at(-1);
		this.#fail(inner ? `unclosed tag: ${inner.element.name}` : "unexpected end.");
	}

	/** The character at `#at`, which is passed over. Throws where none is left or it may not stand in a document. */
	#take(): number {
		const code = this.#text.codePointAt(this.#at);
		if (code === undefined) this.#ends();
		this.#at += code > 0xffff ? 2 : 1;
		if (!isCharacter(code)) this.#fail("disallowed character.");
		return code;
	}

	/** Takes the first character that is no blank. */
	#takeAfterBlanks(): number {
		for (;;) {
			const code = this.#take();
			if (!isSpace(code)) return code;
		}
	}

	/** The name at `#at`, possibly none. */
	#name(): string {
		const text = this.#text;
		let at = this.#at;
		for (; ; at++) {
			const code = text.codePointAt(at);
			if (code === undefined) this.#ends();
			if (!isNameCharacter(code)) break;
			if (code > 0xffff) at++;
		}
		const name = text.slice(this.#at, at);
		this.#at = at;
		return name;
	}

	#declaration(): void {
		const start = this.#at + 5;
		if (!this.#text.startsWith("<?xml", this.#at) || !/[ \t\r\n?]/.test(this.#text.charAt(start))) return;
		DECLARATION.lastIndex = start;
		this.#at = start;
		if (!DECLARATION.test(this.#text))
			this.#fail("the XML declaration must hold a version, then possibly encoding and standalone, each quoted.");
		this.#at = DECLARATION.lastIndex;
	}

	/** What may stand outside the root: blanks. */
	#blanks(): void {
		while (this.#at < this.#text.length && this.#text.charCodeAt(this.#at) !== LESS)
			if (!isSpace(this.#take())) this.#fail("text data outside of root node.");
	}

	/** Text inside an element, up to the next markup. */
	#content(): void {
		const text = this.#text;
		let value = "";
		let start = this.#at;
		for (let at = start; ; at++) {
			const code = text.charCodeAt(at);
			if (code < 128 ? ((ASCII[code] ?? 0) & PLAIN_TEXT) !== 0 : code < 0xd800) continue;
			if (code === BRACKET) {
				if (text.startsWith("]]>", at)) {
					this.#at = at + 3;
					this.#fail('the string "]]>" is disallowed in char data.');
				}
				continue;
			}
			this.#at = at;
			if (code === LESS) break;
			// The rare: a reference, a carriage return, a character beyond the basic plane, one that is not allowed, the end.
			value += text.slice(start, at) + this.#rare();
			start = this.#at;
			at = start - 1;
		}
		value += text.slice(start, this.#at);
		if (value !== "") this.#open.at(-1)?.children.push(value);
	}

	/** A character that does not stand for itself alone. */
	#rare(): string {
		const code = this.#take();
		if (code === AMPERSAND) return this.#reference();
		if (code !== RETURN) return String.fromCodePoint(code);
		if (this.#text.charCodeAt(this.#at) === NEWLINE) this.#at++;
		return "\n";
	}

	/** What stands after `&`, up to the semicolon. */
	#reference(): string {
		const start = this.#at;
		while (this.#take() !== 0x3b);
		const name = this.#text.slice(start, this.#at - 1);
		if (name === "") this.#fail("empty entity name.");
		if (name.startsWith("#")) return this.#numeric(name);
		const value = ENTITIES.get(name);
		if (value !== undefined) return value;
		this.#fail(isNcName(name) ? "undefined entity." : "disallowed character in entity name.");
	}

	#numeric(name: string): string {
		const [, hexadecimal, decimal] = /^#(?:x([0-9a-fA-F]+)|([0-9]+))$/.exec(name) ?? [];
		const code = hexadecimal === undefined ? Number(decimal ?? Number.NaN) : Number.parseInt(hexadecimal, 16);
		if (!isCharacter(code)) this.#fail("malformed character entity.");
		return String.fromCodePoint(code);
	}

	/** What begins with `<`. */
	#markup(): void {
		const start = this.#at++;
		const code = this.#take();
		if (isNameStart(code)) {
			this.#at = start + 1;
			this.#startTag(start);
		} else if (code === SLASH) this.#endTag();
		else if (code === BANG) this.#declarationLike();
		else if (code === QUESTION) this.#instruction();
		else this.#fail("disallowed character in tag name");
	}

	#startTag(start: number): void {
		const name = this.#name();
		let last = this.#take();
		if (this.#open.length >= this.#depth) this.#fail(`elements nest deeper than ${this.#depth}`);
		if (this.#root !== undefined && this.#open.length === 0) this.#fail("documents may contain only one root.");
		this.#begun = true;
		this.#scope = this.#open.at(-1)?.scope ?? ROOT_SCOPE;
		const attributes: Record<string, string> = {};
		if (last !== GREATER && last !== SLASH) {
			if (!isSpace(last)) this.#fail("disallowed character in tag name.");
			last = this.#attributes(attributes);
		}
		if (last === SLASH && this.#take() !== GREATER) this.#fail("forward-slash in opening tag not followed by >.");
		this.#openElement(name, attributes, start, last === SLASH);
	}

	/** The attributes of a tag, up to its `>` or `/`, which is taken and returned. */
	#attributes(attributes: Record<string, string>): number {
		this.#names.length = 0;
		this.#doubtful = false;
		let code = this.#takeAfterBlanks();
		while (code !== GREATER && code !== SLASH) {
			if (!isNameStart(code)) this.#fail("disallowed character in attribute name.");
			this.#at -= code > 0xffff ? 2 : 1;
			this.#attribute(attributes);
			code = this.#take();
			if (isSpace(code)) code = this.#takeAfterBlanks();
			else if (isNameStart(code)) this.#fail("no whitespace between attributes.");
		}
		return code;
	}

	#attribute(attributes: Record<string, string>): void {
		const name = this.#name();
		this.#equals();
		const quote = this.#takeAfterBlanks();
		if (quote !== DOUBLE_QUOTE && quote !== SINGLE_QUOTE) this.#fail("unquoted attribute value.");
		const value = this.#value(quote);
		const colon = name.indexOf(":");
		if (colon >= 0 && isMalformed(name, colon)) this.#fail(`malformed name: ${name}.`);
		if (name.startsWith("xmlns")) this.#declare(name, value.trim());
		if (colon >= 0 || name === "__proto__" || Object.hasOwn(attributes, name)) this.#doubtful = true;
		this.#names.push(name);
		attributes[name] = value;
	}

	#equals(): void {
		let code = this.#take();
		const spaced = isSpace(code);
		if (spaced) code = this.#takeAfterBlanks();
		if (code === EQUALS) return;
		this.#fail(spaced || code === GREATER ? "attribute without value." : "disallowed character in attribute name.");
	}

	/** The value up to its closing `quote`; blanks of all kinds become spaces (XML 1.0, 3.3.3). */
	#value(quote: number): string {
		const text = this.#text;
		let value = "";
		let start = this.#at;
		for (let at = start; ; at++) {
			const code = text.charCodeAt(at);
			if (code < 128 ? ((ASCII[code] ?? 0) & PLAIN_VALUE) !== 0 : code < 0xd800) continue;
			if (code === quote) {
				this.#at = at + 1;
				return start === at ? value : value + text.slice(start, at);
			}
			if (code === DOUBLE_QUOTE || code === SINGLE_QUOTE) continue;
			this.#at = at;
			const rare = this.#rare();
			if (code === LESS) this.#fail("disallowed character.");
			const isBlank = code === NEWLINE || code === RETURN || code === TAB;
			value += text.slice(start, at) + (isBlank ? " " : rare);
			start = this.#at;
			at = start - 1;
		}
	}

	/** Takes note of a namespace that an attribute declares. */
	#declare(name: string, uri: string): void {
		const prefix = declaredPrefix(name);
		if (prefix === undefined) return;
		const fault = declarationFault(prefix, uri);
		if (fault !== undefined) this.#fail(fault);
		this.#scope = new Map(this.#scope).set(prefix, uri);
	}

	#openElement(name: string, attributes: Record<string, string>, start: number, closed: boolean): void {
		const scope = this.#scope;
		const colon = name.indexOf(":");
		const uri = scope.get(colon < 0 ? "" : this.#prefixOf(name, colon)) ?? "";
		if (colon > 0 && uri === "") this.#fail(unbound(name.slice(0, colon)));
		if (this.#doubtful) this.#checkAttributes();
		while (this.#nextLine <= start) this.#countLine();
		const [line, column] = [this.#line, start - this.#lineStart + 1];
		const local = colon < 0 ? name : name.slice(colon + 1);
		const children: XmlNode[] = [];
		const element: XmlElement =
			uri === ""
				? { name, local, attributes, children, line, column }
				: { name, local, uri, attributes, children, line, column };
		this.#root ??= element;
		this.#open.at(-1)?.children.push(element);
		if (!closed) this.#open.push({ element, children, scope });
	}

	#prefixOf(name: string, colon: number): string {
		if (isMalformed(name, colon)) this.#fail(`malformed name: ${name}.`);
		const prefix = name.slice(0, colon);
		if (prefix === "xmlns") this.#fail('tags may not have "xmlns" as prefix.');
		return prefix;
	}

	#checkAttributes(): void {
		this.#doubtful = false;
		const fault = attributesFault(this.#names, this.#scope);
		if (fault !== undefined) this.#fail(fault);
	}

	#countLine(): void {
		if (this.#nextLine > 0) this.#line++;
		this.#lineStart = this.#nextLine;
		const end = this.#text.indexOf("\n", this.#lineStart);
		this.#nextLine = end < 0 ? Number.POSITIVE_INFINITY : end + 1;
	}

	#endTag(): void {
		const name = this.#name();
		let code = this.#take();
		if (isSpace(code)) code = this.#takeAfterBlanks();
		if (code !== GREATER) this.#fail("disallowed character in closing tag.");
		if (name === "") this.#fail("weird empty close tag.");
		const inner = this.#open.pop();
		if (inner === undefined) this.#fail(`unmatched closing tag: ${name}.`);
		if (inner.element.name !== name) this.#fail("unexpected close tag.");
	}

	/** What begins with `<!`: a comment, a CDATA section, or a document type declaration, which is refused. */
	#declarationLike(): void {
		if (this.#text.startsWith("--", this.#at)) this.#comment(this.#at + 2);
		else if (this.#text.startsWith("[CDATA[", this.#at)) this.#cdata(this.#at + 7);
		else if (this.#text.startsWith("DOCTYPE", this.#at)) this.#fail("a document type declaration is not allowed");
		else {
			for (const end = this.#at + 7; this.#at < end; ) this.#take();
			this.#fail("incorrect syntax.");
		}
	}

	#comment(start: number): void {
		const end = this.#text.indexOf("--", start);
		this.#skip(start, end);
		this.#at += 2;
		if (this.#take() !== GREATER) this.#fail("malformed comment.");
	}

	#cdata(start: number): void {
		const inner = this.#open.at(-1);
		if (inner === undefined) this.#fail("text data outside of root node.");
		const end = this.#text.indexOf("]]>", start);
		this.#skip(start, end);
		this.#at += 3;
		inner.children.push(this.#text.slice(start, end).replace(/\r\n?/g, "\n"));
	}

	/** A processing instruction, which is read over. */
	#instruction(): void {
		const start = this.#at;
		const first = this.#take();
		if (first === QUESTION || isSpace(first)) this.#fail("processing instruction without a target.");
		if (!isNameStart(first)) this.#fail("disallowed character in processing instruction name.");
		this.#name();
		const target = this.#text.slice(start, this.#at);
		const after = this.#take();
		if (target.includes(":") || (after !== QUESTION && !isSpace(after)))
			this.#fail("disallowed character in processing instruction name.");
		if (target.toLowerCase() === "xml") this.#fail("an XML declaration must be at the start of the document.");
		this.#at--;
		this.#skip(this.#at, this.#text.indexOf("?>", this.#at));
		this.#at += 2;
	}

	/** Passes over what stands up to `end`, which must be characters; -1 where what should end it is missing. */
	#skip(start: number, end: number): void {
		const until = end < 0 ? this.#text.length : end;
		this.#at = start;
		while (this.#at < until) this.#take();
		if (end < 0) this.#ends();
	}
}
