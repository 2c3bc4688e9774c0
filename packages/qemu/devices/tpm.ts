// Trusted platform modules.

import { basename } from "node:path";
import { VirtError } from "@virtkit/base/errors";
import type { TpmBackendDef, TpmDef, TpmModel } from "@virtkit/model/domain/tpm";
import { DEFAULT_TPM_DEVICE } from "@virtkit/model/domain/tpm";
import { escapeCommas, type JsonObject } from "../command-line/command-line.ts";
import type { HostFiles } from "../host-files.ts";
import { isMachine, isPpc64, isX86 } from "../machine.ts";
import { addChardev } from "./chardev-build.ts";
import { addressProps } from "./device-address.ts";
import { addDevice } from "./device-option.ts";
import { checkDeviceRules, type DeviceRule, refuseDevice } from "./device-rule.ts";
import type { BuildContext, DefineContext, DeviceEntry, DomainStep } from "./entry.ts";

/** QEMU's types of each model: any of them will do. */
const MODEL_TYPES: Readonly<Record<TpmModel, readonly string[]>> = {
	"tpm-tis": ["tpm-tis", "tpm-tis-device"],
	"tpm-crb": ["tpm-crb"],
	"tpm-spapr": ["tpm-spapr"],
	"spapr-tpm-proxy": ["spapr-tpm-proxy"],
};

/** Models and machines that know version 2.0 alone. */
const needsVersion2 = ({ model }: TpmDef, { def }: DefineContext): boolean =>
	model === "tpm-spapr" || model === "tpm-crb" || isMachine(def, "armVirt");

function completeTpm(device: TpmDef, context: DefineContext): void {
	device.model ??= isPpc64(context.def) ? "tpm-spapr" : "tpm-tis";
	const { backend } = device;
	if (backend.type === "emulator") backend.version ??= needsVersion2(device, context) ? "2.0" : "1.2";
}

const COMMON_RULES: readonly DeviceRule<TpmDef>[] = [
	{
		code: "XML_ERROR",
		broken: ({ backend }) =>
			backend.active_pcr_banks !== undefined &&
			backend.version !== "2.0" &&
			"<active_pcr_banks/> requires TPM version '2.0'",
	},
	...(
		[
			[({ type }) => type !== "unix", "only source type 'unix' is supported for external TPM device"],
			[({ mode }) => mode === "bind", "only 'client' mode is supported for external TPM device"],
			[({ path }) => path === undefined, "missing socket path for external TPM device"],
		] satisfies [(source: NonNullable<TpmBackendDef["source"]>) => boolean, string][]
	).map(
		([isBroken, message]): DeviceRule<TpmDef> => ({
			code: "XML_ERROR",
			broken: ({ backend: { type, source } }) =>
				type === "external" && source !== undefined && isBroken(source) && message,
		}),
	),
];

/** What is behind a module needs: a program of the host, and QEMU's own support. */
function hasBackend({ type }: TpmBackendDef, { caps, host }: DefineContext): boolean {
	if (type === "passthrough") return caps.has("tpm-passthrough");
	return host.swtpm !== undefined && caps.has("tpm-emulator");
}

const RULES: readonly DeviceRule<TpmDef>[] = [
	{
		broken: ({ backend: { type, version = "default" } }, { host }) =>
			type === "emulator" && !host.swtpm?.includes(version) && `TPM version '${version}' is not supported`,
	},
	{
		broken: ({ backend, model }, { def }) => {
			if (backend.type !== "emulator" || backend.version !== "1.2") return false;
			if (model === "tpm-crb") return `Unsupported interface '${model}' for TPM 1.2`;
			if (model === "tpm-spapr") return "TPM 1.2 is not supported with the SPAPR device model";
			return isMachine(def, "armVirt") && "TPM 1.2 is not supported on ARM";
		},
	},
	{
		broken: ({ backend }, context) =>
			!hasBackend(backend, context) &&
			`The QEMU executable ${context.def.devices.emulator} does not support TPM backend type ${backend.type}`,
	},
	{
		broken: ({ model, backend }, { def }) =>
			isPpc64(def) &&
			model === "spapr-tpm-proxy" &&
			backend.type !== "passthrough" &&
			`TPM Proxy model ${model} requires 'Passthrough' backend`,
	},
	{
		broken: ({ model }, { def, caps }) =>
			model !== undefined &&
			!MODEL_TYPES[model].some((type) => caps.has(type)) &&
			`The QEMU executable ${def.devices.emulator} does not support TPM model ${model}`,
	},
];

/** A guest has at most one module, and at most one proxy. */
export const checkTpms: DomainStep = ({ def }) => {
	const { tpms } = def.devices;
	const isProxy = ({ model }: TpmDef): boolean => model === "spapr-tpm-proxy";
	for (const [kind, found] of [
		["Proxy", tpms.filter(isProxy)],
		["non-proxy", tpms.filter((each) => !isProxy(each))],
	] as const)
		if (found[1]) refuseDevice(found[1], `only a single TPM ${kind} device is supported`);
};

const devicePath = ({ backend }: TpmDef): string => backend.device?.path ?? DEFAULT_TPM_DEVICE;

/** Where a command that runs on the host's module is cancelled; there may be no such file. */
function cancelPath(device: string, files: HostFiles): string {
	const folders = [`/sys/class/tpm/${basename(device)}/device`, `/sys/class/misc/${basename(device)}/device`];
	return folders.map((folder) => `${folder}/cancel`).find((path) => files.exists(path)) ?? "/dev/null";
}

const backendId = ({ alias }: TpmDef): string => `tpm-${alias}`;
/** The one chardev of emulators. */
const CHARDEV = "chrtpm";

/** Socket of the emulator that the driver starts. */
export const emulatorSocket = (workFolder: string): string => `${workFolder}/swtpm.sock`;

function formatBackend(device: TpmDef, { host }: DefineContext): string {
	if (device.backend.type !== "passthrough") return `emulator,id=${backendId(device)},chardev=${CHARDEV}`;
	const path = devicePath(device);
	const paths = `path=${escapeCommas(path)},cancel-path=${escapeCommas(cancelPath(path, host.files))}`;
	return `passthrough,id=${backendId(device)},${paths}`;
}

/** The properties of the device, for -device. */
export function tpmProps(device: TpmDef, { def }: DefineContext): JsonObject {
	if (device.model === "spapr-tpm-proxy")
		return { driver: device.model, id: device.alias, "host-path": devicePath(device) };
	return {
		driver: device.model === "tpm-tis" && !isX86(def) ? "tpm-tis-device" : device.model,
		tpmdev: backendId(device),
		id: device.alias,
		...addressProps(device, def),
	};
}

function buildTpm(device: TpmDef, context: BuildContext): void {
	const { backend, model } = device;
	if (model !== "spapr-tpm-proxy") {
		if (backend.type !== "passthrough") {
			const path = backend.type === "external" ? backend.source?.path : emulatorSocket(context.paths.work);
			// Where nothing starts, the driver's own emulator has no socket.
			const type = backend.type === "emulator" && context.dryRun ? "null" : "unix";
			addChardev({ type, source: { mode: "connect", path, seclabels: [] }, endpoints: [] }, CHARDEV, context);
		}
		context.command.add("-tpmdev", formatBackend(device, context));
	}
	addDevice(device, tpmProps(device, context), context);
}

/** Throws where the host's module that a guest is given is not there. */
export const checkTpmsToStart: DomainStep = ({ def, host }) => {
	for (const device of def.devices.tpms) {
		const path = devicePath(device);
		const isOpened = device.backend.type === "passthrough" && device.model !== "spapr-tpm-proxy";
		if (isOpened && !host.files.exists(path))
			throw new VirtError("SYSTEM_ERROR", `Could not open TPM device ${path}: No such file or directory`);
	}
};

/** First register of modules on pSeries' virtual bus. */
const SPAPR_REGISTER = 0x4000;

export const tpm: DeviceEntry<TpmDef> = {
	kind: "tpm",
	list: ({ devices }) => devices.tpms,
	alias: (_, index) => `tpm${index}`,
	complete: completeTpm,
	checkCommon: (device, context) => checkDeviceRules(COMMON_RULES, device, context),
	check: (device, context) => checkDeviceRules(RULES, device, context),
	spaprVio: ({ model }, { def }) => ({
		register: SPAPR_REGISTER,
		always: model !== "spapr-tpm-proxy" && isMachine(def, "pseries"),
	}),
	build: buildTpm,
};
