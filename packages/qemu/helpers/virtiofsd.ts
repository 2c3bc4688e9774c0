// The servers of virtiofs folders: one virtiofsd a folder.

import { existsSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import { type FilesystemDef, filesystemPath } from "@virtkit/model/domain/filesystem";
import { escapeCommas } from "../command-line/command-line.ts";
import { isOwnVirtiofs, virtiofsdName, virtiofsSocket } from "../devices/filesystem.ts";
import { isExecutable, needProgram } from "./find.ts";
import type { HelperContext, HelperKind, HelperPlan } from "./helper.ts";
import { listenFor } from "./socket.ts";

/** `,name` or `,no_name`, as the definition switches it; nothing where it does not say. */
const switched = (name: string, on: boolean | undefined): string =>
	on === undefined ? "" : `,${on ? "" : "no_"}${name}`;

function serverOptions({ binary }: FilesystemDef, path: string): string {
	const cache = binary?.cache?.mode === undefined ? "" : `,cache=${binary.cache.mode}`;
	const sandbox = binary?.sandbox?.mode === undefined ? "" : `,sandbox=${binary.sandbox.mode}`;
	const locks = `${switched("flock", binary?.lock?.flock)}${switched("posix_lock", binary?.lock?.posix)}`;
	return `source=${escapeCommas(path)}${cache}${sandbox}${switched("xattr", binary?.xattr)}${locks}`;
}

function planOne(context: HelperContext, fs: FilesystemDef): HelperPlan {
	const program = fs.binary?.path || needProgram("virtiofsd", "Debian's package qemu-system-common or virtiofsd");
	if (!isExecutable(program)) throw new VirtError("INTERNAL_ERROR", `virtiofsd binary '${program}' is not executable`);
	const path = filesystemPath(fs) ?? "";
	if (!existsSync(path))
		throw new VirtError("INTERNAL_ERROR", `the virtiofs export directory '${path}' does not exist`);
	const { uid = [], gid = [] } = fs.idmap ?? {};
	const ids = (option: string, all: readonly { start: number; target: number; count: number }[]): string[] =>
		all.map(({ start, target, count }) => `--${option}=:${start}:${target}:${count}:`);
	const openFiles = fs.binary?.openfiles?.max;
	const threads = fs.binary?.thread_pool?.size;
	return {
		name: virtiofsdName(fs),
		program,
		// It confines itself, for which it must be root.
		args: [
			"--fd=3",
			"-o",
			serverOptions(fs, path),
			...(threads === undefined ? [] : [`--thread-pool-size=${threads}`]),
			...(openFiles === undefined ? [] : [`--rlimit-nofile=${openFiles}`]),
			...ids("uid-map", uid),
			...ids("gid-map", gid),
		],
		inherit: [listenFor(context, virtiofsSocket(fs, context.run.paths.work))],
		logName: `${fs.alias}-virtiofsd`,
	};
}

export const virtiofsd: HelperKind = {
	plan: (context) => context.def.devices.filesystems.filter(isOwnVirtiofs).map((fs) => planOne(context, fs)),
};
