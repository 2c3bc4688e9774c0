// Events of devices: trays, balloon, clock, channels, unplugged devices.

import { GUEST_AGENT_CHANNEL } from "@virtkit/model/domain/channel";
import { agentChannelChanged } from "../agent/agent.ts";
import { findDisk, idOfPath } from "../domain/find-device.ts";
import { unplugEnded } from "../hotplug/unplug-events.ts";
import { vcpusChanged } from "../hotplug/vcpu.ts";
import { saveStatus } from "../lifecycle/status-file.ts";
import type { EventHandlers } from "./handler.ts";

/** virConnectDomainEventTrayChangeReason. */
const TRAY = { open: 0, closed: 1 } as const;

export const deviceEvents: EventHandlers = {
	DEVICE_TRAY_MOVED({ driver, domain, run }, data) {
		const disk = findDisk(run.live.def, data.id || data.device);
		if (!disk) return;
		const tray = data["tray-open"] ? "open" : "closed";
		driver.emit("tray-change", domain.ref, { device: disk.alias ?? "", reason: TRAY[tray] });
		if (tray === "open") disk.target.tray = "open";
		else delete disk.target.tray;
		run.live.changed();
		saveStatus(driver, domain);
	},

	BALLOON_CHANGE({ driver, domain, run }, { actual }) {
		const kib = Math.ceil(actual / 1024);
		driver.emit("balloon-change", domain.ref, { actual: BigInt(kib) });
		run.live.def.currentMemory = kib;
		run.live.changed();
		saveStatus(driver, domain);
	},

	RTC_CHANGE({ driver, domain, run }, { offset }) {
		const { clock } = run.live.def;
		let seconds = offset;
		if (clock.offset === "variable") {
			// QEMU counts from where the clock stood at start.
			seconds += run.initialClockAdjustment;
			clock.adjustment = seconds;
			run.live.changed();
			saveStatus(driver, domain);
		}
		driver.emit("rtc-change", domain.ref, { offset: BigInt(seconds) });
	},

	VSERPORT_CHANGE({ driver, domain, run }, { id, open }) {
		const channel = run.live.def.devices.channels.find(({ alias }) => alias === id);
		if (channel?.target.type !== "virtio") return;
		channel.target.state = open ? "connected" : "disconnected";
		run.live.changed();
		saveStatus(driver, domain);
		if (channel.target.name !== GUEST_AGENT_CHANNEL) return;
		agentChannelChanged(driver, domain, run, open);
		driver.emit("agent-lifecycle", domain.ref, { state: open ? 1 : 2, reason: 2 });
	},

	DEVICE_DELETED(source, { device, path }) {
		const id = device ?? idOfPath(path);
		if (id !== undefined) unplugEnded(source, id, "deleted");
		if (/^vcpu\d+$/.test(id ?? "")) vcpusChanged(source.driver, source.domain, source.run).catch(() => undefined);
	},

	DEVICE_UNPLUG_GUEST_ERROR(source, { device, path }) {
		unplugEnded(source, device ?? idOfPath(path) ?? path, "refused");
	},

	MEM_UNPLUG_ERROR(source, { device }) {
		unplugEnded(source, device, "refused");
	},

	MEMORY_DEVICE_SIZE_CHANGE({ driver, domain, run }, { id, size }) {
		const module = run.live.def.devices.memories.find(({ alias }) => alias === id);
		if (id === undefined || module === undefined) return;
		const kib = Math.ceil(size / 1024);
		driver.emit("memory-device-size-change", domain.ref, { alias: id, size: BigInt(kib) });
		module.target.current = kib;
		run.live.changed();
		saveStatus(driver, domain);
	},
};
