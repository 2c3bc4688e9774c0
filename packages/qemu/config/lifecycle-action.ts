// What becomes of a guest that powers off, reboots or crashes, changed while it runs or for its next start.

import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { lifecycleComplaint } from "../defaults/driver-rules.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { changeConfig, changeLive, impactOf } from "./impact.ts";

/** virDomainLifecycle: elements by the number, with libvirt's word in messages. */
const TYPES = [
	["on_poweroff", "poweroff"],
	["on_reboot", "reboot"],
	["on_crash", "crash"],
] as const;

/** virDomainLifecycleAction. */
const ACTIONS = ["destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart"] as const;

type Element = (typeof TYPES)[number][0];
type Action = (typeof ACTIONS)[number];

async function setLifecycleAction(
	driver: Driver,
	domain: QemuDomain,
	{ element, action }: { element: Element; action: Action },
	flags: number,
): Promise<void> {
	const { run, config } = impactOf(domain, flags);
	const change = (def: DomainDef): void => {
		def[element] = action;
	};
	for (const def of [run?.live.def, config ? domain.config.def : undefined]) {
		const complaint = def && lifecycleComplaint({ ...def, [element]: action });
		if (complaint !== undefined) throw new VirtError("CONFIG_UNSUPPORTED", complaint);
	}
	if (run) {
		if (element === "on_reboot") await setReboot(run, action);
		changeLive(driver, domain, run, change);
	}
	if (config) await changeConfig(driver, domain, change);
}

/** QEMU itself ends or resets the guest; what else happens is up to the driver. */
async function setReboot(run: Run, action: Action): Promise<void> {
	if (run.live.def.on_reboot === action) return;
	if (!run.caps.hasSchema("set-action"))
		throw new VirtError(
			"OPERATION_UNSUPPORTED",
			"cannot update lifecycle action because QEMU was started with incompatible -no-reboot setting",
		);
	if (action === "destroy") await run.monitor.execute("set-action", { reboot: "shutdown" });
	else if (action === "restart") await run.monitor.execute("set-action", { reboot: "reset" });
}

/** Throws for numbers that there are not, and for what an event cannot come to (virDomainDefLifecycleActionAllowed). */
function parseAction(typeNumber: number, actionNumber: number): { element: Element; action: Action } {
	const [type, action] = [TYPES[typeNumber], ACTIONS[actionNumber]];
	if (!type) throw new VirtError("INVALID_ARG", `invalid lifecycle type '${typeNumber}'`, { domain: "DOM" });
	if (!action) throw new VirtError("INVALID_ARG", `invalid lifecycle action '${actionNumber}'`, { domain: "DOM" });
	const [element, word] = type;
	if (element !== "on_crash" && action.startsWith("coredump"))
		throw new VirtError("CONFIG_UNSUPPORTED", `Lifecycle event '${word}' doesn't support '${action}' action`, {
			domain: "DOMAIN",
		});
	return { element, action };
}

export const lifecycleActionOperations = (
	driver: Driver,
): Pick<DomainOperations<QemuDomain>, "setLifecycleAction"> => ({
	setLifecycleAction: (domain, type, action, flags) =>
		setLifecycleAction(driver, domain, parseAction(type, action), flags),
});
