// libvirt's own clients, pointed at one daemon: virsh, and scripts for libvirt's Python binding.

import { writeFileSync } from "node:fs";
import { outputOf, type RunOptions, type RunResult, run } from "./run.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** Debian's package python3-libvirt belongs to the system's Python, whichever other one is first in PATH. */
const PYTHON = "/usr/bin/python3";

/** Real libvirt clients of the daemon at one URI. */
export interface LibvirtClients {
	readonly uri: string;
	/** What `virsh` printed. @throws Error with all it said when it fails. */
	virsh(...args: readonly string[]): Promise<string>;
	/** `virsh` as it went, well or not. */
	tryVirsh(...args: readonly string[]): Promise<RunResult>;
	/** `virsh VERB FILE ARGS…` with a document in the file. */
	virshWith(document: string, verb: string, ...args: readonly string[]): Promise<string>;
	/** What a Python script printed that finds the open connection as `conn` and the module as `libvirt`. */
	python(script: string, options?: RunOptions): Promise<string>;
}

const PYTHON_PROLOGUE = `
import json, sys, time, libvirt
libvirt.registerErrorHandler(lambda context, error: None, None)
conn = libvirt.open(sys.argv[1])
`;

/** Clients of the daemon that listens on `socket` (its read-write UNIX socket). */
export function libvirtClients(socket: string): LibvirtClients {
	const uri = `qemu+unix:///system?socket=${socket}`;
	const command = (args: readonly string[]) => ["-q", "-c", uri, ...args];
	return {
		uri,
		virsh: (...args) => outputOf("virsh", command(args)),
		tryVirsh: (...args) => run("virsh", command(args)),
		virshWith: async (document, verb, ...args) => {
			using folder = temporaryFolder();
			writeFileSync(folder.file("document.xml"), document);
			return await outputOf("virsh", command([verb, folder.file("document.xml"), ...args]));
		},
		python: (script, options) => outputOf(PYTHON, ["-c", `${PYTHON_PROLOGUE}\n${script}`, uri], options),
	};
}
