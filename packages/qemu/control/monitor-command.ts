// Any command for a guest's QEMU, as JSON or in the words of its human monitor, answered as QEMU answers.

import { toVirtError, VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { saveStatus } from "../lifecycle/status-file.ts";

/** VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP. */
const HUMAN = 1;

/** QEMU takes its time over some commands, such as a dump: only the caller gives up. */
const NO_DEADLINE = Number.POSITIVE_INFINITY;

export const monitorOperations = (driver: Driver): Pick<DomainOperations<QemuDomain>, "monitorCommand"> => ({
	monitorCommand: async (domain, command, fds, flags, { signal }) => {
		const [fd] = fds;
		if (fds.length > 1) throw new VirtError("INVALID_ARG", "at most 1 fd can be passed to qemu along with a command");
		const { monitor, tampered } = domain.activeRun();
		if (!tampered.monitor) {
			tampered.monitor = true;
			saveStatus(driver, domain);
		}
		const options = { deadlineMs: NO_DEADLINE, signal, fd };
		if (flags & HUMAN) return monitor.execute("human-monitor-command", { "command-line": command }, options);
		try {
			return await monitor.executeText(command, options);
		} catch (error) {
			const { code, detail } = toVirtError(error);
			if (code !== "INVALID_ARG") throw error;
			throw new VirtError("INTERNAL_ERROR", detail, { cause: error });
		}
	},
});
