// Confidential computing: how the guest's memory is kept from the host.

import { type Codec, hex, integer, nonEmpty, str, uint, yesNo } from "@virtkit/xml/codec";
import { attr, child, element, type Infer, leaf, variants } from "@virtkit/xml/schema";

/** The policy is read as hexadecimal with or without 0x. */
const policy = {
	...hex(4, 0xffffffff),
	parse: (text: string) => {
		const match = /^\s*(?:0[xX])?([0-9a-fA-F]{1,8})\s*$/.exec(text);
		return match ? Number.parseInt(match[1] ?? "", 16) : undefined;
	},
};

/** The same of 64 bits. */
const policy64: Codec<bigint> = {
	parse: (text) => {
		const match = /^\s*(?:0[xX])?([0-9a-fA-F]{1,16})\s*$/.exec(text);
		return match ? BigInt(`0x${match[1]}`) : undefined;
	},
	format: (value) => `0x${value.toString(16).padStart(8, "0")}`,
	allowed: "a hexadecimal number of up to 64 bits",
	json: { type: "string" },
};

/** Where the service listens unless told. */
const QUOTE_SOCKET = "/var/run/tdx-qgs/qgs.socket";

export const launchSecurity = variants("type", {
	sev: {
		kernelHashes: attr(yesNo, { doc: "Whether kernel, initrd and command line are measured." }),
		cbitpos: leaf(uint, { doc: "Bit of a page table entry that marks encrypted memory." }),
		reducedPhysBits: leaf(integer({ min: 0, max: 0xffffffff }), { doc: "Bits that physical addresses lose." }),
		policy: leaf(policy, { required: true, doc: "AMD's policy bits of the guest." }),
		dhCert: leaf(nonEmpty, { doc: "The owner's Diffie-Hellman key." }),
		session: leaf(nonEmpty, { doc: "The owner's session blob." }),
	},
	"sev-snp": {
		kernelHashes: attr(yesNo, { doc: "Whether kernel, initrd and command line are measured." }),
		authorKey: attr(yesNo, { doc: "Whether `idAuth` holds an author's key." }),
		vcek: attr(yesNo, { doc: "Whether the processor's own key signs reports." }),
		cbitpos: leaf(uint, { doc: "Bit of a page table entry that marks encrypted memory." }),
		reducedPhysBits: leaf(integer({ min: 0, max: 0xffffffff }), { doc: "Bits that physical addresses lose." }),
		policy: leaf(policy64, { required: true, doc: "AMD's policy bits of the guest." }),
		guestVisibleWorkarounds: leaf(nonEmpty, { doc: "Workarounds that the guest sees, in base64." }),
		idBlock: leaf(nonEmpty, { doc: "The guest's identity, in base64." }),
		idAuth: leaf(nonEmpty, { doc: "Who vouches for that identity, in base64." }),
		hostData: leaf(nonEmpty, { doc: "Words of the host that reports carry, in base64." }),
	},
	"s390-pv": {},
	tdx: {
		policy: leaf(policy64, { doc: "Intel's attributes of the guest." }),
		mrConfigId: leaf(nonEmpty, { doc: "Id of the guest's configuration, in base64." }),
		mrOwner: leaf(nonEmpty, { doc: "Id of the guest's owner, in base64." }),
		mrOwnerConfig: leaf(nonEmpty, { doc: "Id of the owner's configuration, in base64." }),
		quoteGenerationService: child(
			element({ path: attr(str, { default: QUOTE_SOCKET, doc: "Socket of the service." }) }),
			{ keepEmpty: true, doc: "Service that signs the guest's reports." },
		),
	},
});

export type LaunchSecurityDef = Infer<typeof launchSecurity>;
