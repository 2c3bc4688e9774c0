// IP addresses and routes as documents spell them: any spelling is read, the shortest one (RFC 5952) is written.

import { type Codec, integer, oneOf, str, uint } from "@virtkit/xml/codec";
import { documentError, positionOf } from "@virtkit/xml/read";
import { attr, element, type Infer, list } from "@virtkit/xml/schema";

export type IpFamily = "ipv4" | "ipv6";

const IPV4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

function parseIpv4(text: string): string | undefined {
	const octets = IPV4.exec(text)?.slice(1).map(Number);
	return octets?.every((octet) => octet <= 255) ? octets.join(".") : undefined;
}

/** The eight groups of an IPv6 address; undefined for text that is none. */
function parseGroups(text: string): number[] | undefined {
	const dotted = /^(.*:)([\d.]+)$/.exec(text);
	const v4 = dotted?.[2]?.includes(".") ? parseIpv4(dotted[2]) : undefined;
	const [a = 0, b = 0, c = 0, d = 0] = v4?.split(".").map(Number) ?? [];
	const whole = v4 === undefined ? text : `${dotted?.[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
	const halves = whole.split("::");
	if (halves.length > 2) return undefined;
	const [head = [], tail] = halves.map((half) => (half === "" ? [] : half.split(":")));
	const missing = 8 - head.length - (tail?.length ?? 0);
	if (tail ? missing < 1 : missing !== 0) return undefined;
	const groups = [...head, ...new Array<string>(tail ? missing : 0).fill("0"), ...(tail ?? [])];
	return groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))
		? groups.map((group) => Number.parseInt(group, 16))
		: undefined;
}

/** The longest run of zero groups, the first of equals; runs of one are not shortened. */
function longestZeros(groups: readonly number[]): { start: number; length: number } {
	let best = { start: 0, length: 1 };
	for (let start = 0; start < groups.length; start++) {
		let end = start;
		while (end < groups.length && groups[end] === 0) end++;
		if (end - start > best.length) best = { start, length: end - start };
	}
	return best;
}

function formatGroups(groups: readonly number[]): string {
	const { start, length } = longestZeros(groups);
	const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(":");
	if (length < 2) return hex(groups);
	// Addresses that embed an IPv4 one show it as such.
	if (start === 0 && (length === 6 || (length === 5 && groups[5] === 0xffff))) {
		const [high = 0, low = 0] = groups.slice(6);
		return `::${length === 5 ? "ffff:" : ""}${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
	}
	return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

/** `text` in its shortest spelling; undefined for what is no IP address. */
export function parseIpAddress(text: string): string | undefined {
	if (!text.includes(":")) return parseIpv4(text);
	const groups = parseGroups(text);
	return groups && formatGroups(groups);
}

/** The family of an address that parseIpAddress returned. */
export function ipFamily(address: string): IpFamily {
	return address.includes(":") ? "ipv6" : "ipv4";
}

/** A numeric IPv4 or IPv6 address. */
export const ipAddress: Codec<string> = {
	parse: parseIpAddress,
	format: (value) => value,
	allowed: "a numeric IPv4 or IPv6 address",
	json: { type: "string" },
};

const MAX_PREFIX: Readonly<Record<IpFamily, number>> = { ipv4: 32, ipv6: 128 };

const ip = element(
	{
		address: attr(ipAddress, { required: true, doc: "The address." }),
		family: attr(str, { doc: "Its family, ipv4 or ipv6; follows from the address." }),
		prefix: attr(integer({ min: 0, max: 128 }), { absent: 0, doc: "Bits of the network's part." }),
		peer: attr(ipAddress, { code: "INVALID_ARG", doc: "Address of the other end of a point-to-point link." }),
	},
	{
		onRead(value) {
			const family = ipFamily(value.address);
			const fail = (message: string): never => {
				throw documentError(positionOf(value), message);
			};
			if ((value.family === "ipv4" || value.family === "ipv6") && value.family !== family)
				fail(`Invalid address '${value.address}' in <ip>: it is no ${value.family} address`);
			if ((value.prefix ?? 0) > MAX_PREFIX[family]) fail(`Invalid prefix value '${value.prefix}' in <ip>`);
			value.family = family;
		},
	},
);
/** An address of an interface. */
export type IpDef = Infer<typeof ip>;

const route = element(
	{
		family: attr(oneOf("ipv4", "ipv6"), { doc: "Family of the route; ipv4 unless told." }),
		address: attr(ipAddress, { required: true, doc: "Network that the route leads to." }),
		netmask: attr(ipAddress, { doc: "Mask of an IPv4 network." }),
		prefix: attr(uint, { doc: "Bits of the network's part, in place of the mask." }),
		gateway: attr(ipAddress, { required: true, doc: "Where packets for that network go." }),
		metric: attr(integer({ min: 1, max: 0xffffffff }), { doc: "Cost of the route." }),
	},
	{ onRead: checkRoute },
);
/** A route of an interface. */
export type RouteDef = Infer<typeof route>;

/** The address as a number of 32 or 128 bits. */
function bitsOf(address: string): bigint {
	if (ipFamily(address) === "ipv4") return address.split(".").reduce((bits, octet) => (bits << 8n) | BigInt(octet), 0n);
	return (parseGroups(address) ?? []).reduce((bits, group) => (bits << 16n) | BigInt(group), 0n);
}

/** A mask of that many ones at the top. */
function bitsOfPrefix(prefix: number, family: IpFamily): bigint {
	const width = BigInt(MAX_PREFIX[family]);
	return ((1n << BigInt(prefix)) - 1n) << (width - BigInt(prefix));
}

function checkRoute(value: {
	family?: IpFamily | undefined;
	address: string;
	gateway: string;
	netmask?: string | undefined;
	prefix?: number | undefined;
}): void {
	const { family = "ipv4", address, gateway, netmask, prefix = 0 } = value;
	const fail = (message: string): never => {
		throw documentError(positionOf(value), `${message} in route definition`);
	};
	for (const [name, given] of Object.entries({ address, gateway }))
		if (ipFamily(given) !== family) fail(`${family} expected, but ${name} is '${given}'`);
	if (netmask !== undefined) {
		if (family === "ipv6" || ipFamily(netmask) !== "ipv4") fail(`Invalid netmask '${netmask}' for '${address}'`);
		if (value.prefix !== undefined) fail("prefix and netmask cannot both be given");
	}
	if (prefix > MAX_PREFIX[family]) fail(`Invalid prefix ${prefix}, must be 0 - ${MAX_PREFIX[family]}`);
	const bits = bitsOf(address);
	const mask = netmask === undefined ? bitsOfPrefix(prefix, family) : bitsOf(netmask);
	if ((bits & mask) !== bits) fail(`Address '${address}' is not a network address`);
}

/** Addresses and routes of one end of an interface. */
export const ipFields = {
	ip: list(ip, { doc: "An address." }),
	route: list(route, { doc: "A route." }),
};
