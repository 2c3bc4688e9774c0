// Confidential computing: how the guest's memory is kept from the host.

import { hex, integer, nonEmpty, uint, yesNo } from "@virtkit/xml/codec";
import { attr, type Infer, leaf, variants } from "@virtkit/xml/schema";

/** The policy is read as hexadecimal with or without 0x. */
const policy = {
	...hex(4, 0xffffffff),
	parse: (text: string) => {
		const match = /^\s*(?:0[xX])?([0-9a-fA-F]{1,8})\s*$/.exec(text);
		return match ? Number.parseInt(match[1] ?? "", 16) : undefined;
	},
};

export const launchSecurity = variants("type", {
	sev: {
		kernelHashes: attr(yesNo, { doc: "Whether kernel, initrd and command line are measured." }),
		cbitpos: leaf(uint, { doc: "Bit of a page table entry that marks encrypted memory." }),
		reducedPhysBits: leaf(integer({ min: 0, max: 0xffffffff }), { doc: "Bits that physical addresses lose." }),
		policy: leaf(policy, { required: true, doc: "AMD's policy bits of the guest." }),
		dhCert: leaf(nonEmpty, { doc: "The owner's Diffie-Hellman key." }),
		session: leaf(nonEmpty, { doc: "The owner's session blob." }),
	},
	"s390-pv": {},
});

export type LaunchSecurityDef = Infer<typeof launchSecurity>;
