// The definition as XML, of the running guest or as stored.

import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import type { QemuDomain } from "../domain/domain.ts";

/** virDomainXMLFlags; 4 (update the CPU) changes nothing, since a running guest's CPU is what it says. */
const XML_FLAG = { secure: 1, inactive: 2, migratable: 8 } as const;

export function xmlOperations(): Pick<DomainOperations<QemuDomain>, "xml"> {
	return {
		xml: (domain, flags, { readOnly }) => {
			if (readOnly && flags & (XML_FLAG.secure | XML_FLAG.migratable))
				throw new VirtError("OPERATION_DENIED", "virDomainGetXMLDesc with secure flag", { domain: "DOM" });
			const migratable = (flags & XML_FLAG.migratable) !== 0;
			const inactive = (flags & XML_FLAG.inactive) !== 0 || domain.run === undefined;
			const definition = inactive ? domain.config : domain.current;
			// What goes to another host says nothing of this run: names and sockets are given anew there.
			const secure = migratable || (flags & XML_FLAG.secure) !== 0;
			const options = { inactive: inactive || migratable, secure, migratable };
			return definition.settling && !migratable
				? definition.settling.then(() => definition.format(options))
				: definition.format(options);
		},
	};
}
