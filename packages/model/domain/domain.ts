// The domain document: the whole definition of one guest, from which everything else about it follows.

import { int, nonEmpty, oneOf } from "@virtkit/xml/codec";
import { type FormatOptions, formatElement } from "@virtkit/xml/format";
import { parseXml } from "@virtkit/xml/parse";
import { documentError, type ReadContext, readElement } from "@virtkit/xml/read";
import { attr, child, element, type Infer, leaf } from "@virtkit/xml/schema";
import { devices } from "./devices.ts";

/** Hypervisors that libvirt's domain format names (virDomainVirtType). */
export const DOMAIN_TYPES = [
	"qemu",
	"kqemu",
	"kvm",
	"xen",
	"lxc",
	"uml",
	"openvz",
	"test",
	"vmware",
	"hyperv",
	"vbox",
	"phyp",
	"parallels",
	"bhyve",
	"vz",
] as const;

export const domain = element({
	type: attr(oneOf(...DOMAIN_TYPES), {
		required: true,
		doc: "Hypervisor that runs the guest.",
	}),
	id: attr(int, {
		show: (_, options) => !options.inactive,
		doc: "Number of the running guest on this host.",
	}),
	name: leaf(nonEmpty, { doc: "Name, unique on the host." }),
	devices: child(devices, {
		required: true,
		implied: true,
		keepEmpty: true,
		doc: "What the guest has plugged in.",
	}),
});

/** A guest's whole definition. */
export type DomainDef = Infer<typeof domain>;

/** The definition that `text` spells. Throws XML_ERROR, or the code libvirt has for the mistake, with line and column. */
export function parseDomain(text: string, context: ReadContext = { strict: false }): DomainDef {
	const root = parseXml(text, "domain definition");
	if (root.name !== "domain") throw documentError(root, `unexpected root element <${root.name}>, expecting <domain>`);
	return readElement(domain, root, context);
}

/** `def` as libvirt prints it. */
export function formatDomain(def: DomainDef, options: FormatOptions = {}): string {
	return formatElement("domain", domain, def, def.id === undefined ? { ...options, inactive: true } : options);
}
