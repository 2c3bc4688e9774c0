// Smartcards, and the reader that they are put into.

import type { CcidAddress } from "@virtkit/model/domain/address";
import type { SmartcardDef } from "@virtkit/model/domain/smartcard";
import { ensureController } from "../addresses/controllers.ts";
import type { JsonObject } from "../command-line/command-line.ts";
import { addChardev, type ChardevParts } from "./chardev-build.ts";
import { checkChardev } from "./chardev-check.ts";
import { controllerAlias } from "./device-address.ts";
import { checkDeviceRules, type DeviceRule } from "./device-rule.ts";
import type { BuildContext, DefineContext, DeviceEntry } from "./entry.ts";

/** Database of certificates where the document names none (NSS). */
const DEFAULT_DATABASE = "/etc/pki/nssdb";

const placeOf = ({ address }: SmartcardDef): CcidAddress | undefined =>
	address?.type === "ccid" ? address : undefined;

/** Puts cards without a place into the first reader, and adds the readers that cards need. */
export function addSmartcardReaders({ def }: DefineContext): void {
	const { smartcards } = def.devices;
	for (const card of smartcards) {
		if (card.address === undefined) {
			const slots = smartcards.flatMap((each) => {
				const place = placeOf(each);
				return place?.controller === 0 ? [place.slot] : [];
			});
			card.address = { type: "ccid", controller: 0, slot: Math.max(-1, ...slots) + 1 };
		}
		ensureController(def, "ccid", placeOf(card)?.controller ?? 0);
	}
}

const RULES: readonly DeviceRule<SmartcardDef>[] = [
	{ broken: ({ address }) => address && address.type !== "ccid" && "a smartcard needs an address of type 'ccid'" },
	{
		broken: (card, { def }) => {
			const place = placeOf(card);
			return (
				(def.devices.smartcards.length > 1 || place?.controller !== 0 || place.slot !== 0) &&
				"QEMU has one smartcard at most, in slot 0 of reader 0"
			);
		},
	},
	{
		broken: ({ mode }, { caps }) => {
			const driver = mode === "passthrough" ? "ccid-card-passthru" : "ccid-card-emulated";
			return !caps.has(driver) && `smartcards of mode '${mode}' are not supported by this QEMU binary`;
		},
	},
];

/** The character device of a card that is passed through. */
function chardevOf(card: SmartcardDef): ChardevParts | undefined {
	return card.mode === "passthrough" && card.type !== undefined ? { ...card, type: card.type } : undefined;
}

function kindProps({ mode, certificate, database, alias }: SmartcardDef): JsonObject {
	if (mode === "passthrough") return { driver: "ccid-card-passthru", chardev: `char${alias}` };
	if (mode === "host") return { driver: "ccid-card-emulated", backend: "nss-emulated" };
	const [cert1, cert2, cert3] = certificate.map(({ name }) => name);
	return {
		driver: "ccid-card-emulated",
		backend: "certificates",
		cert1,
		cert2,
		cert3,
		db: database ?? DEFAULT_DATABASE,
	};
}

/** The properties of the card, for -device and device_add. */
export function smartcardProps(card: SmartcardDef, { def }: DefineContext): JsonObject {
	const reader = controllerAlias(def, "ccid", placeOf(card)?.controller ?? 0);
	return { ...kindProps(card), id: card.alias, bus: `${reader}.0` };
}

function buildSmartcard(card: SmartcardDef, context: BuildContext): void {
	const chardev = chardevOf(card);
	if (chardev) addChardev(chardev, `char${card.alias}`, context, { spice: "smartcard" });
	context.command.addDevice(smartcardProps(card, context));
}

export const smartcard: DeviceEntry<SmartcardDef> = {
	kind: "smartcard",
	list: ({ devices }) => devices.smartcards,
	alias: (_, index) => `smartcard${index}`,
	check: (card, context) => {
		const chardev = chardevOf(card);
		checkDeviceRules(RULES, card, context);
		if (chardev) checkChardev(chardev, card, context);
	},
	build: buildSmartcard,
};
