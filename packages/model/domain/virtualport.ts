// Virtual ports: how an interface is known to its switch (802.1Qbg, 802.1Qbh, Open vSwitch, midonet).

import { type Codec, integer, matching, oneOf, uuid } from "@virtkit/xml/codec";
import { documentError, positionOf } from "@virtkit/xml/read";
import { attr, child, element, type Infer, type Loose } from "@virtkit/xml/schema";

/** Kinds of virtual ports, with the parameters each has; those marked true must be there. */
const PARAMETERS = {
	"802.1Qbg": { managerid: true, typeid: true, typeidversion: true, instanceid: true },
	"802.1Qbh": { profileid: true },
	openvswitch: { interfaceid: true, profileid: false },
	midonet: { interfaceid: true },
} as const;
export type VirtualPortType = keyof typeof PARAMETERS;

/** Kinds that refuse parameters of other kinds. */
const STRICT: ReadonlySet<string> = new Set(["802.1Qbg", "802.1Qbh", "openvswitch"]);

const number = (max: number): Codec<number> => integer({ min: 0, max, base: "auto" });
type Parameter = "managerid" | "typeid" | "typeidversion" | "instanceid" | "interfaceid" | "profileid";

const inType =
	(name: Parameter) =>
	(_: Loose, __: unknown, parent: Loose | undefined): boolean =>
		parent?.type === undefined || name in (PARAMETERS[parent.type as VirtualPortType] ?? {});

const parameters = element({
	managerid: attr(number(0xff), { show: inType("managerid"), doc: "Database of types and instances (802.1Qbg)." }),
	typeid: attr(number(0xffffff), { show: inType("typeid"), doc: "Type of the station interface (802.1Qbg)." }),
	typeidversion: attr(number(0xff), { show: inType("typeidversion"), doc: "Version of that type." }),
	instanceid: attr(uuid, { show: inType("instanceid"), doc: "Instance of the interface, made at random if absent." }),
	interfaceid: attr(uuid, { show: inType("interfaceid"), doc: "Interface, made at random if absent." }),
	profileid: attr(matching(/^.{0,39}$/s, "up to 39 characters"), {
		absent: "",
		show: inType("profileid"),
		doc: "Port profile.",
	}),
});

/** The <virtualport> element. */
export const virtualport = element({
	type: attr(oneOf(...(Object.keys(PARAMETERS) as VirtualPortType[])), {
		code: "CONFIG_UNSUPPORTED",
		doc: "Kind of the port.",
	}),
	parameters: child(parameters, { doc: "What the switch is told." }),
});
export type VirtualPortDef = Infer<typeof virtualport>;

/** Identifiers that are made up where they are missing. */
const GENERATED: readonly (readonly ["instanceid" | "interfaceid", VirtualPortType])[] = [
	["instanceid", "802.1Qbg"],
	["interfaceid", "openvswitch"],
];

/**
 * Makes up identifiers that `port` lacks and checks that it has what its kind needs and nothing else.
 *
 * `complete` is false where a network supplies what is missing. Throws XML_ERROR.
 */
export function completeVirtualPort(port: VirtualPortDef, complete: boolean, newUuid: () => string): void {
	const { type } = port;
	const fail = (message: string): never => {
		throw documentError(positionOf(port), message);
	};
	if (complete && type === undefined) fail("missing required virtualport type");
	for (const [name, of] of GENERATED)
		if ((type === undefined || type === of) && port.parameters?.[name] === undefined) {
			port.parameters ??= {};
			port.parameters[name] = newUuid();
		}
	if (type === undefined) return;
	const wanted: Readonly<Record<string, boolean>> = PARAMETERS[type];
	const given = Object.entries(port.parameters ?? {}).flatMap(([name, value]) => (value === undefined ? [] : [name]));
	const missing = Object.keys(wanted).find((name) => wanted[name] && !given.includes(name));
	if (complete && missing !== undefined) fail(`missing ${missing} in <virtualport type='${type}'>`);
	const extra = STRICT.has(type) ? given.find((name) => !(name in wanted)) : undefined;
	if (extra !== undefined) fail(`extra ${extra} unsupported in <virtualport type='${type}'>`);
}
