// The command line of a run: its definition made ready, options built, descriptors and folders of this run in them.

import type { DomainDef } from "@virtkit/model/domain/domain";
import { buildCommandLine } from "../command-line/build.ts";
import { CommandLine } from "../command-line/command-line.ts";
import { emulatorEnvironment } from "../command-line/environment.ts";
import { checkOverrides, overrideDevice } from "../command-line/extra.ts";
import { bootIndexesOf } from "../defaults/boot-index.ts";
import type { DefineContext } from "../devices/entry.ts";
import type { Run } from "../domain/run.ts";

export interface CommandInputs {
	readonly context: DefineContext;
	readonly masterKey: Uint8Array;
	/** Descriptors opened for devices, by device. */
	readonly descriptors: ReadonlyMap<object, readonly number[]>;
}

/** The command line; `context.def` must have been prepared. Throws VirtError where the guest cannot be had. */
export function buildRunCommand(run: Run, { context, masterKey, descriptors }: CommandInputs): CommandLine {
	const def: DomainDef = context.def;
	const command = new CommandLine(context.caps.binary);
	command.fdSets = context.imageDescriptors?.size ?? 0;
	command.adaptDevice = (device) => overrideDevice(device, def.qemuOverride);
	Object.assign(command.environment, emulatorEnvironment(run.paths.work));
	const build = {
		...context,
		command,
		paths: run.paths,
		dryRun: false,
		bootIndexes: bootIndexesOf(def),
		masterKey,
		descriptors,
	};
	buildCommandLine(build);
	checkOverrides(build);
	return command;
}
