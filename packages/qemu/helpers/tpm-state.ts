// The state of an emulated module: a folder by its domain's UUID that is made at the first start and goes with the domain.

import { chownSync, closeSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { VirtError } from "@virtkit/base/errors";
import { systemError } from "@virtkit/host/system-error";
import { findUserById } from "@virtkit/host/user";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { TpmDef } from "@virtkit/model/domain/tpm";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { findId } from "../user-ids.ts";
import { endHelper, spawnHelper } from "./spawn.ts";

type Owner = { readonly uid: number; readonly gid: number };

/** What the state of one module is made with. */
export interface TpmSetup {
	/** Path of swtpm_setup. */
	readonly program: string;
	readonly folder: string;
	/** Whom the module's certificates are for. */
	readonly vmid: string;
	readonly logPath: string;
	readonly version: "1.2" | "2.0";
	/** Banks of registers that are to be active; swtpm's own choice where empty. */
	readonly banks: readonly string[];
	/** The state itself comes with the guest's saved state. */
	readonly incoming: boolean;
	readonly runAs: Owner | undefined;
	readonly profile: TpmDef["backend"]["profile"];
	/** Opens a descriptor of the passphrase; the caller closes it. */
	readonly passphrase: (() => number) | undefined;
}

/** Folder of all state of the domain's modules. */
const domainFolder = ({ paths }: Pick<Driver, "paths">, uuid: string): string => join(paths.swtpm, uuid);

/** Folder of the module's state, as libvirt names it. */
export function tpmStateFolder(driver: Driver, uuid: string, { backend: { version, state } }: TpmDef): string {
	if (state?.type === "dir") return state.path;
	return join(domainFolder(driver, uuid), version === "1.2" ? "tpm1.2" : "tpm2");
}

/** The user that Debian's swtpm keeps its certificates as. */
const DEFAULT_USER = "tss";

/** Who emulators run as: the settings' user, else `tss`; undefined for the daemon's own where it is not root. */
export function tpmUser({ settings }: Driver): Owner | undefined {
	if (process.getuid?.() !== 0) return undefined;
	const uid = findId(settings.swtpmUser ?? DEFAULT_USER, "user");
	if (uid === undefined) {
		if (settings.swtpmUser === undefined) return undefined;
		throw new VirtError("CONF_SYNTAX", `swtpm_user '${settings.swtpmUser}' of qemu.conf is not known on this host`);
	}
	const { swtpmGroup } = settings;
	const gid = swtpmGroup === undefined ? findUserById(uid)?.gid : findId(swtpmGroup, "group");
	if (gid === undefined)
		throw new VirtError("CONF_SYNTAX", `swtpm_group '${swtpmGroup}' of qemu.conf is not known on this host`);
	return { uid, gid };
}

/** Makes the state where there is none, and what is to be set anew at each start. Leaves no half-made state. */
export async function prepareTpmState(driver: Driver, run: Run, setup: TpmSetup): Promise<void> {
	mkdirSync(driver.paths.swtpm, { recursive: true, mode: 0o711 });
	const isNew = !existsSync(setup.folder);
	if (isNew) await makeState(run, setup);
	else own(setup.folder, setup.runAs);
	if (setup.banks.length > 0 && setup.version === "2.0" && !setup.incoming)
		await runSetup(run, setup, ["--tpm-state", setup.folder, "--pcr-banks", setup.banks.join(","), "--reconfigure"]);
}

async function makeState(run: Run, setup: TpmSetup): Promise<void> {
	const parent = dirname(setup.folder);
	// A daemon may be killed meanwhile: only what is whole gets the name that a later start believes in.
	const draft = `${setup.folder}.new`;
	try {
		mkdirSync(parent, { recursive: true, mode: 0o711 });
		rmSync(draft, { recursive: true, force: true });
		mkdirSync(draft, { mode: 0o700 });
		own(draft, setup.runAs);
		own(parent, setup.runAs, false);
	} catch (error) {
		throw systemError(`Could not create TPM directory ${setup.folder}`, error);
	}
	try {
		await runSetup(run, setup, ["--tpm-state", draft, ...(setup.incoming ? ["--overwrite"] : manufacture(setup))]);
		renameSync(draft, setup.folder);
	} catch (error) {
		rmSync(draft, { recursive: true, force: true });
		removeWhereEmpty(parent);
		throw error;
	}
}

/** Options about the algorithms of a new module. */
function profileOptions({ profile }: TpmSetup): string[] {
	if (profile?.source === undefined) return [];
	const disabled = profile.removeDisabled;
	return ["--profile-name", profile.source, ...(disabled ? ["--profile-remove-disabled", disabled] : [])];
}

/** A key pair, certificates for it, and a locked store of them. */
function manufacture(setup: TpmSetup): string[] {
	const make = ["--createek", "--create-ek-cert", "--create-platform-cert", "--lock-nvram", "--not-overwrite"];
	return ["--vmid", setup.vmid, ...make, ...profileOptions(setup)];
}

async function runSetup(run: Run, setup: TpmSetup, args: readonly string[]): Promise<void> {
	const key = setup.passphrase?.();
	try {
		const { helper, exited } = await spawnHelper(run, {
			name: "swtpm_setup",
			program: setup.program,
			args: [
				...(setup.version === "2.0" ? ["--tpm2"] : []),
				...(key === undefined ? [] : ["--pwdfile-fd", "3", "--cipher", "aes-256-cbc"]),
				...args,
			],
			runAs: setup.runAs,
			inherit: key === undefined ? [] : [key],
			logPath: setup.logPath,
		});
		const { code, signal } = await exited;
		await endHelper(helper);
		if (code !== 0) throw setupError(setup, signal ?? `${code}`);
	} finally {
		if (key !== undefined) closeSync(key);
	}
}

function setupError({ program, logPath }: TpmSetup, status: string): VirtError {
	const message = `Could not run '${program}'. exitstatus: ${status}; Check error log '${logPath}' for details.`;
	return new VirtError("INTERNAL_ERROR", message);
}

function own(path: string, owner: Owner | undefined, withFiles = true): void {
	if (owner === undefined) return;
	chownSync(path, owner.uid, owner.gid);
	if (withFiles) for (const name of readdirSync(path)) chownSync(join(path, name), owner.uid, owner.gid);
}

function removeWhereEmpty(folder: string): void {
	if (existsSync(folder) && readdirSync(folder).length === 0) rmSync(folder, { recursive: true });
}

/** virDomainUndefineFlagsValues of a module's state. */
export const TPM_FLAG = { remove: 32, keep: 64 } as const;

/** Removes the state with its domain: unless told to keep it, and that of persistent state only where told to. */
export function removeTpmState(driver: Driver, uuid: string, def: DomainDef, flags = 0): void {
	const device = def.devices.tpms.find(({ backend }) => backend.type === "emulator");
	if (device === undefined) return;
	const goes = device.backend.persistent_state ? flags & TPM_FLAG.remove : !(flags & TPM_FLAG.keep);
	if (goes) rmSync(domainFolder(driver, uuid), { recursive: true, force: true });
}
