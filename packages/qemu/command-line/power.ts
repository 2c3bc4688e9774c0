// Power management: what QEMU does when the guest powers off, ACPI, sleep states.

import type { BuildContext } from "../devices/entry.ts";
import { isMachine } from "../machine.ts";

/** Architectures whose machines can do without ACPI. */
const ACPI_ARCHITECTURES = ["i686", "x86_64", "aarch64"];

/** `-no-shutdown`, `-no-acpi` and the sleep states. */
export function buildPowerManagement({ command, def, caps }: BuildContext): void {
	command.add("-no-shutdown");
	if (ACPI_ARCHITECTURES.includes(caps.arch) && !def.features?.acpi)
		command.from({ element: def.features ?? def, what: "no <acpi/> among the features" }, () =>
			command.add("-no-acpi"),
		);
	for (const [state, property] of [
		["suspend-to-mem", "disable_s3"],
		["suspend-to-disk", "disable_s4"],
	] as const) {
		const enabled = def.pm?.[state]?.enabled;
		if (enabled === undefined) continue;
		const bridge = isMachine(def, "q35") && caps.has("ICH9-LPC", property) ? "ICH9-LPC" : "PIIX4_PM";
		command.from({ element: def.pm ?? def, what: state }, () =>
			command.add("-global", `${bridge}.${property}=${enabled ? 0 : 1}`),
		);
	}
}
