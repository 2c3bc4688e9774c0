// Operations on backups.

import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import { formatBackup } from "@virtkit/model/backup/backup";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { beginBackup } from "./begin.ts";

export const backupOperations = (driver: Driver): Pick<DomainOperations<QemuDomain>, "beginBackup" | "backupXml"> => ({
	beginBackup: (domain, request, flags, context) => beginBackup(driver, domain, request, flags, context),
	backupXml: ({ run }) => {
		if (run?.backup) return formatBackup(run.backup.def);
		throw new VirtError("NO_DOMAIN_BACKUP", "no domain backup job present");
	},
});
