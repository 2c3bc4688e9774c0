// The options before the command, in virsh's spelling.

import { CommandError, type GlobalOptions } from "./context.ts";

export interface Invocation {
	readonly options: GlobalOptions;
	/** The command and its words; none for the shell. */
	readonly words: readonly string[];
	readonly help: boolean;
	readonly version: boolean;
}

/** Where to connect unless told. */
export function defaultUri(environment: NodeJS.ProcessEnv, uid: number): string {
	const given = environment.VIRTKIT_DEFAULT_URI || environment.LIBVIRT_DEFAULT_URI;
	if (given) return given;
	if (uid === 0) return "qemu+unix:///system?socket=/run/virtkit/libvirt-sock";
	const run = environment.XDG_RUNTIME_DIR || `/run/user/${uid}`;
	return `qemu+unix:///session?socket=${run}/virtkit/libvirt-sock`;
}

const VALUE_OPTIONS: Readonly<Record<string, "uri" | "output" | "ignored">> = {
	"-c": "uri",
	"--connect": "uri",
	"-o": "output",
	"--output": "output",
	"-d": "ignored",
	"--debug": "ignored",
	"-l": "ignored",
	"--log": "ignored",
	"-k": "ignored",
	"--keepalive-interval": "ignored",
	"-K": "ignored",
	"--keepalive-count": "ignored",
	"-e": "ignored",
	"--escape": "ignored",
};

const SWITCHES: Readonly<Record<string, "readOnly" | "quiet" | "timing" | "help" | "version">> = {
	"-r": "readOnly",
	"--readonly": "readOnly",
	"-q": "quiet",
	"--quiet": "quiet",
	"-t": "timing",
	"--timing": "timing",
	"-h": "help",
	"--help": "help",
	"-v": "version",
	"-V": "version",
	"--version": "version",
};

/** Splits the words of a call into options, command and its words. */
export function parseInvocation(argv: readonly string[], uri: string): Invocation {
	const switches = { readOnly: false, quiet: false, timing: false, help: false, version: false };
	const values = { uri, output: "table", ignored: "" };
	const words = [...argv];
	while (words[0]?.startsWith("-")) {
		const word = words.shift() ?? "";
		if (word === "--") break;
		const [name = "", attached] = word.startsWith("--")
			? splitAt(word, "=")
			: [word.slice(0, 2), word.slice(2) || undefined];
		const valued = VALUE_OPTIONS[name];
		const toggled = SWITCHES[name];
		if (valued) {
			const value = attached ?? words.shift();
			if (value === undefined) throw new CommandError(`option '${name}' requires an argument`);
			values[valued] = value;
		} else if (toggled) {
			switches[toggled] = true;
			// Short switches may stand together: -rq.
			if (!word.startsWith("--") && attached !== undefined) words.unshift(`-${attached}`);
		} else throw new CommandError(`unsupported option '${word}'. See --help.`);
	}
	takeOutput(words, values);
	if (values.output !== "table" && values.output !== "json")
		throw new CommandError(`--output takes table or json, not '${values.output}'`);
	const { readOnly, quiet, timing, help, version } = switches;
	return {
		options: { uri: values.uri, readOnly, quiet, timing, json: values.output === "json" },
		words,
		help,
		version,
	};
}

/** `--output` may also stand among the command's own words, up to `--`. */
function takeOutput(words: string[], values: { output: string }): void {
	const end = words.includes("--") ? words.indexOf("--") : words.length;
	const at = words.findIndex(
		(word, index) => index > 0 && index < end && (word === "--output" || word.startsWith("--output=")),
	);
	if (at === -1) return;
	const [word = "", next] = words.slice(at, at + 2);
	const [, attached] = splitAt(word, "=");
	const value = attached ?? next;
	if (value === undefined) throw new CommandError("option '--output' requires an argument");
	values.output = value;
	words.splice(at, attached === undefined ? 2 : 1);
}

function splitAt(word: string, separator: string): [string, string | undefined] {
	const at = word.indexOf(separator);
	return at === -1 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}
