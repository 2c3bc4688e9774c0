// Trusted platform modules: the host's own, an emulator that the driver starts, or one that somebody else runs.

import { matching, oneOf, str, uint, uuid, yesNo } from "@virtkit/xml/codec";
import { elementsOf } from "@virtkit/xml/node";
import { documentError } from "@virtkit/xml/read";
import { attr, child, element, flag, type Infer, type Loose, type Schema } from "@virtkit/xml/schema";
import { CHARDEV_TYPES } from "./chardev.ts";
import { deviceInfo } from "./device-common.ts";

export const TPM_MODELS = ["tpm-tis", "tpm-crb", "tpm-spapr", "spapr-tpm-proxy"] as const;
export type TpmModel = (typeof TPM_MODELS)[number];

/** Device of the host's own module. */
export const DEFAULT_TPM_DEVICE = "/dev/tpm0";

const PCR_BANKS = ["sha1", "sha256", "sha384", "sha512"] as const;
const banks = element(
	{
		sha1: flag({ doc: "SHA-1 is active." }),
		sha256: flag({ doc: "SHA-256 is active." }),
		sha384: flag({ doc: "SHA-384 is active." }),
		sha512: flag({ doc: "SHA-512 is active." }),
	},
	{
		onRead: (_, found) => {
			for (const { name } of elementsOf(found))
				if (!(PCR_BANKS as readonly string[]).includes(name))
					throw documentError(found, `Unsupported PCR banks '${name}'`, "CONFIG_UNSUPPORTED");
		},
	},
);

const is =
	(type: string) =>
	(self: Loose): boolean =>
		self.type === type;

const externalSource = element({
	type: attr(oneOf(...CHARDEV_TYPES), { code: "CONFIG_UNSUPPORTED", doc: "How it is reached: unix." }),
	mode: attr(oneOf("connect", "bind"), { default: "connect", doc: "Always connect." }),
	path: attr(str, { doc: "Path of its control socket." }),
});

const stateSource = element({
	type: attr(oneOf("file", "dir"), { required: true, doc: "Whether one file or a folder holds the state." }),
	path: attr(str, { required: true, doc: "Path of it." }),
});

const profileName = matching(/^[A-Za-z0-9.\-:]+$/, "letters, digits, dots, dashes and colons");
const profile = element({
	source: attr(profileName, { doc: "Profile to begin with: built in, of the distribution, or local." }),
	removeDisabled: attr(oneOf("check", "fips-host"), {
		doc: "Whether algorithms that the host has disabled are left out.",
	}),
	name: attr(profileName, { doc: "Name of the profile that the module got." }),
});

const backendFields = element({
	type: attr(oneOf("passthrough", "emulator", "external"), { required: true, doc: "What is behind the module." }),
	version: attr(oneOf("1.2", "2.0"), {
		when: is("emulator"),
		doc: "Version of the specification that is emulated.",
	}),
	persistent_state: attr(yesNo, {
		when: is("emulator"),
		code: "INTERNAL_ERROR",
		absent: false,
		doc: "Whether the state is kept when a transient guest ends.",
	}),
	debug: attr(uint, { when: is("emulator"), absent: 0, doc: "How much the emulator tells in its log, 0 to 20." }),
	device: child(element({ path: attr(str, { doc: "Path of the device." }) }), {
		when: is("passthrough"),
		doc: "Device of the host.",
	}),
	encryption: child(
		element({ secret: attr(uuid, { required: true, code: "INTERNAL_ERROR", doc: "UUID of the secret." }) }),
		{ when: is("emulator"), doc: "Encryption of the emulator's state." },
	),
	active_pcr_banks: child(banks, { when: is("emulator"), doc: "Banks of registers that are active." }),
	source: child(externalSource, { when: is("external"), doc: "Where the emulator listens." }),
	state: child(stateSource, { name: "source", when: is("emulator"), doc: "Where the emulator keeps its state." }),
	profile: child(profile, { when: is("emulator"), doc: "Algorithms and commands that a new module has." }),
});
/** What is behind a module. */
export type TpmBackendDef = Infer<typeof backendFields>;
const backend: Schema<TpmBackendDef> = {
	...backendFields,
	onRead: (value, found) => {
		if (value.type === "passthrough") {
			value.device ??= {};
			value.device.path ??= DEFAULT_TPM_DEVICE;
		}
		if (value.type === "external" && value.source?.type === undefined)
			throw documentError(found, "missing external TPM backend type");
		if (value.active_pcr_banks && Object.keys(value.active_pcr_banks).length === 0) delete value.active_pcr_banks;
	},
};

const tpmFields = element({
	model: attr(oneOf(...TPM_MODELS), { doc: "Model of the module; the machine's own where absent." }),
	backend: child(backend, { required: true, doc: "What is behind it." }),
	...deviceInfo,
});
/** A trusted platform module. */
export type TpmDef = Infer<typeof tpmFields>;
/** The <tpm> element. */
export const tpm: Schema<TpmDef> = {
	...tpmFields,
	onRead: (_, found) => {
		if (elementsOf(found).filter((each) => each.name === "backend").length > 1)
			throw documentError(found, "only one TPM backend is supported");
	},
};
