// The options of one device as they would stand on the command line, for a guest that runs already.

import { overrideDevice } from "../command-line/extra.ts";
import type { DefineContext, DeviceEntry } from "../devices/entry.ts";
import type { Run } from "../domain/run.ts";
import type { DriverHost } from "../driver-host.ts";
import { readMasterKey } from "../lifecycle/work-folder.ts";
import { PlugLine } from "./plug-line.ts";

interface Built {
	readonly entry: DeviceEntry<object>;
	readonly device: object;
}

/** What plugs the device in; `context.def` has it already. */
export function plugLine(
	run: Run,
	{ entry, device }: Built,
	context: DefineContext,
	descriptors: ReadonlyMap<object, readonly number[]>,
): PlugLine {
	return build(run, { entry, device }, context, { descriptors, masterKey: readMasterKey(run), dryRun: false });
}

/** What takes it out: the ids of its parts are all that counts. */
export function removalLine(run: Run, built: Built, context: DefineContext): PlugLine {
	return build(
		run,
		built,
		{ ...context, host: withoutSecrets(context.host) },
		{ descriptors: new Map(), dryRun: true },
	);
}

/** The host, with some value for every secret: one may be gone by now, and its value does not matter. */
function withoutSecrets(host: DriverHost): DriverHost {
	return new Proxy(host, {
		get(target, name) {
			if (name === "secretValue") return () => new Uint8Array();
			const value: unknown = Reflect.get(target, name);
			return typeof value === "function" ? (value.bind(target) as unknown) : value;
		},
	});
}

type Given = Pick<Parameters<DeviceEntry<object>["build"]>[1], "descriptors" | "dryRun" | "masterKey">;

function build(run: Run, { entry, device }: Built, context: DefineContext, given: Given): PlugLine {
	const { alias = entry.kind } = device as { readonly alias?: string };
	const command = new PlugLine(run.caps.binary, alias);
	command.adaptDevice = (props) => overrideDevice(props, context.def.qemuOverride);
	// The order in which firmware boots is settled when the guest starts: only a place of the device's own counts.
	entry.build(device, { ...context, ...given, command, paths: run.paths, bootIndexes: new Map() });
	return command;
}
