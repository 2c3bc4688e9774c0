// The emulator of a guest's trusted platform module: swtpm, with the module's state in a folder that outlives the run.

import { spawnSync } from "node:child_process";
import { closeSync, openSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { VirtError } from "@virtkit/base/errors";
import type { TpmDef } from "@virtkit/model/domain/tpm";
import { emulatorSocket } from "../devices/tpm.ts";
import type { DriverHost } from "../driver-host.ts";
import { needProgram } from "./find.ts";
import type { HelperContext, HelperKind, HelperPlan } from "./helper.ts";
import { listenFor } from "./socket.ts";
import { prepareTpmState, type TpmSetup, tpmStateFolder, tpmUser } from "./tpm-state.ts";

const HINT = "Debian's packages swtpm and swtpm-tools";

/** The descriptors that swtpm gets come after its standard three. */
const FIRST_INHERITED = 3;

/** A file without a name that holds the passphrase: a descriptor is all that swtpm may see of it. */
function secretDescriptor(context: HelperContext, secret: Uint8Array): number {
	const path = join(context.run.paths.work, "tpm-secret");
	const writer = openSync(path, "wx", 0o600);
	try {
		writeSync(writer, secret);
		const fd = openSync(path, "r");
		context.handed.defer(() => closeSync(fd));
		return fd;
	} finally {
		closeSync(writer);
		unlinkSync(path);
	}
}

/** The passphrase that the state is encrypted with. Throws NO_SECRET where the host has none of that UUID. */
function passphrase({ driver }: HelperContext, { backend }: TpmDef): Uint8Array | undefined {
	const uuid = backend.encryption?.secret;
	if (uuid === undefined) return undefined;
	const host: DriverHost = driver.host;
	const value = host.secretValue?.({ uuid }, "vtpm");
	if (value !== undefined) return value;
	throw new VirtError("NO_SECRET", `no secret with matching uuid '${uuid}', which encrypts the TPM's state`, {
		domain: "SECRET",
	});
}

/** Throws CONFIG_UNSUPPORTED for what newer versions of swtpm have. */
function refuseUnsupported({ backend: { state, profile } }: TpmDef): void {
	if (state?.type === "file")
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			`a file that holds a TPM's state ('${state.path}') is not supported by swtpm`,
		);
	if (profile !== undefined && !setupCapabilities().includes("cmdarg-profile"))
		throw new VirtError("CONFIG_UNSUPPORTED", "swtpm_setup has no support for profiles");
}

/** What swtpm_setup says that it can. */
function setupCapabilities(): readonly string[] {
	const { stdout } = spawnSync(needProgram("swtpm_setup", HINT), ["--print-capabilities"], { encoding: "utf8" });
	try {
		return (JSON.parse(stdout) as { features?: string[] }).features ?? [];
	} catch {
		return [];
	}
}

async function plan(context: HelperContext): Promise<HelperPlan[]> {
	const { driver, domain, run, def } = context;
	const device = def.devices.tpms.find(({ backend }) => backend.type === "emulator");
	if (device === undefined) return [];
	const program = needProgram("swtpm", HINT);
	refuseUnsupported(device);
	const level = device.backend.debug;
	const secret = passphrase(context, device);
	const runAs = tpmUser(driver);
	const setup: TpmSetup = {
		program: needProgram("swtpm_setup", HINT),
		folder: tpmStateFolder(driver, domain.uuid, device),
		vmid: `${domain.name}:${domain.uuid}`,
		logPath: join(driver.paths.log, `${domain.name}-swtpm.log`),
		version: device.backend.version ?? "2.0",
		banks: Object.keys(device.backend.active_pcr_banks ?? {}),
		incoming: context.incoming,
		runAs,
		profile: device.backend.profile,
		passphrase: secret && (() => secretDescriptor(context, secret)),
	};
	await prepareTpmState(driver, run, setup);
	// It takes none of the standard descriptors for its log.
	const log = openSync(setup.logPath, "a", 0o600);
	context.handed.defer(() => closeSync(log));
	const inherit = [listenFor(context, emulatorSocket(run.paths.work)), log];
	const keys = secret ? keyOptions(context, inherit, secret) : [];
	return [
		{
			name: "swtpm",
			program,
			args: [
				"socket",
				...["--ctrl", `type=unixio,fd=${FIRST_INHERITED}`],
				...["--tpmstate", `dir=${setup.folder},mode=0600`],
				...["--log", `fd=${FIRST_INHERITED + 1}${level === undefined ? "" : `,level=${level}`}`],
				"--terminate",
				...(setup.version === "2.0" ? ["--tpm2"] : []),
				...keys,
			],
			runAs,
			inherit,
			logName: "swtpm",
		},
	];
}

/** Each use of the passphrase reads a descriptor of its own to the end. */
function keyOptions(context: HelperContext, inherit: number[], secret: Uint8Array): string[] {
	return ["--key", "--migration-key"].flatMap((option) => {
		inherit.push(secretDescriptor(context, secret));
		return [option, `pwdfd=${FIRST_INHERITED + inherit.length - 1},mode=aes-256-cbc`];
	});
}

export const swtpm: HelperKind = { plan };
