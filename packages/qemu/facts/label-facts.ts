// How running guests are confined: by whom they run as.

import { readFileSync } from "node:fs";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import type { QemuDomain } from "../domain/domain.ts";

/** The user and group of a process, as libvirt writes the label of its "dac" model. */
function ownerLabel(pid: number): string | undefined {
	let status: string;
	try {
		status = readFileSync(`/proc/${pid}/status`, "latin1");
	} catch {
		return undefined;
	}
	const id = (name: string) => new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1];
	return `+${id("Uid")}:+${id("Gid")}`;
}

/** The host's own security system confines no guest, so that its label is empty. Neither is said to be enforced. */
export const labelFacts: Pick<DomainOperations<QemuDomain>, "securityLabels"> = {
	securityLabels: ({ run }) => {
		const label = run?.process && ownerLabel(run.process.pid);
		return label === undefined ? [] : ["", label].map((one) => ({ label: one, enforcing: false }));
	},
};
