// The name that libvirt's C API gives a procedure, which error messages and documentation use.

import type { ProgramName } from "./programs.ts";

/** Words of procedure names that the C API does not spell with one capital letter. */
const SPELLINGS: Readonly<Record<string, string>> = {
	CPU: "CPU",
	DHCP: "DHCP",
	FD: "FD",
	FSFREEZE: "FSFreeze",
	FSINFO: "FSInfo",
	FSTHAW: "FSThaw",
	FSTRIM: "FSTrim",
	ID: "ID",
	IOTHREAD: "IOThread",
	MAC: "MAC",
	NMI: "NMI",
	NWFILTER: "NWFilter",
	NWFILTERS: "NWFilters",
	OS: "OS",
	PM: "PM",
	SCSI: "SCSI",
	SEV: "SEV",
	SSH: "SSH",
	URI: "URI",
	UUID: "UUID",
	WWN: "WWN",
	XML: "XML",
};

/** Where a program's own functions carry its name: `virDomainQemuMonitorCommand`. */
const INFIXES: Readonly<Record<ProgramName, string>> = {
	remote: "",
	qemu: "Qemu",
	lxc: "Lxc",
	virtkit: "",
	keepalive: "",
};

/** `virDomainGetXMLDesc` for DOMAIN_GET_XML_DESC of the remote program. */
export function apiName(program: ProgramName, procedure: string): string {
	const words = procedure.split("_").map((word) => SPELLINGS[word] ?? capitalized(word));
	const infix = INFIXES[program];
	const name = words.join("");
	return infix === "" ? `vir${name}` : `vir${name.replace(/^(Connect)?Domain/, `$&${infix}`)}`;
}

function capitalized(word: string): string {
	return word.charAt(0) + word.slice(1).toLowerCase();
}
