// The kernel's merging of equal pages (KSM), which guests' memory is shared by: what it does, and how eagerly.

import { writeFileSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import { systemError } from "../system-error.ts";
import { HostFiles } from "./host-files.ts";

/** virNodeGetMemoryParameters in its order: libvirt's name, the kernel's file, its width, whether it can be set. */
export const KSM_PARAMETERS = [
	{ name: "shm_pages_to_scan", file: "pages_to_scan", type: "uint", writable: true },
	{ name: "shm_sleep_millisecs", file: "sleep_millisecs", type: "uint", writable: true },
	{ name: "shm_pages_shared", file: "pages_shared", type: "ullong", writable: false },
	{ name: "shm_pages_sharing", file: "pages_sharing", type: "ullong", writable: false },
	{ name: "shm_pages_unshared", file: "pages_unshared", type: "ullong", writable: false },
	{ name: "shm_pages_volatile", file: "pages_volatile", type: "ullong", writable: false },
	{ name: "shm_full_scans", file: "full_scans", type: "ullong", writable: false },
	{ name: "shm_merge_across_nodes", file: "merge_across_nodes", type: "uint", writable: true },
] as const;

export type KsmParameterName = (typeof KSM_PARAMETERS)[number]["name"];

/** One parameter as it stands. */
export interface KsmParameter {
	readonly name: KsmParameterName;
	readonly type: "uint" | "ullong";
	readonly value: bigint;
}

const FOLDER = "sys/kernel/mm/ksm";

/** The parameters that this kernel has. */
export function readKsmParameters(files = new HostFiles()): KsmParameter[] {
	return KSM_PARAMETERS.flatMap(({ name, file, type }) => {
		const word = files.word(`${FOLDER}/${file}`);
		return word === undefined ? [] : [{ name, type, value: BigInt(word) }];
	});
}

/** Whether the kernel merges pages at all: 0 off, 1 on, 2 off with everything unmerged; undefined without KSM. */
export function readKsmRun(files = new HostFiles()): number | undefined {
	return files.number(`${FOLDER}/run`);
}

/** Sets parameters, all or up to the first that the kernel refuses. @throws VirtError. */
export function writeKsmParameters(values: Partial<Record<KsmParameterName, number>>): void {
	for (const [name, value] of Object.entries(values)) {
		const row = KSM_PARAMETERS.find((candidate) => candidate.name === name);
		if (row === undefined || !row.writable) {
			throw new VirtError("INVALID_ARG", `memory parameter '${name}' cannot be set`, { domain: "NONE" });
		}
		try {
			writeFileSync(`/${FOLDER}/${row.file}`, `${value}`);
		} catch (error) {
			throw systemError(`failed to set ${name} to ${value}`, error);
		}
	}
}
